"""Word vectors that gensim-data publishes, by name.

gensim's own downloader runs Python code that it has just downloaded (an `__init__.py` beside the vectors). The same
files are fetched here by its names, addresses and hashes, and nothing but their numbers is read.
"""

from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights.downloads import Download, fetch

RELEASES = "https://github.com/RaRe-Technologies/gensim-data/releases/download"
PINS = {
    "glove-wiki-gigaword-50": "md5=c289bc5d7f2f02c6dc9f2f9b67641813",
    "glove-wiki-gigaword-100": "md5=40ec481866001177b8cd4cb0df92924f",
    "glove-wiki-gigaword-200": "md5=59652db361b7a87ee73834a6c391dfc1",
    "glove-wiki-gigaword-300": "md5=29e9329ac2241937d55b852e8284e89b",
    "word2vec-google-news-300": "md5=a5e5354d40acb95f9ec66d5977d140ef",
}
"""Hashes that gensim-data's list.json publishes."""


def fetch_vectors(name: str) -> Download:
    """Download the gzipped file of a model's vectors.

    Raises:
        PlainError: the name is not known, or the file cannot be fetched whole and right.
    """
    if name not in PINS:
        raise PlainError(f"words.name is {name!r}, which gensim-data does not have; choose one of {', '.join(PINS)}")
    return fetch(f"{RELEASES}/{name}/{name}.gz", label=name, pin=PINS[name])
