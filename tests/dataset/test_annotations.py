from pathlib import Path

import pytest

from pipeline.dataset.annotations import video_id_of, words_of

EXTERNAL = Path(__file__).resolve().parents[2] / "data" / "external"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("swimming", ["swimming"]),
        ("playing+music", ["playing", "music"]),
        ("snuggling/cuddling/hugging", ["snuggling", "cuddling", "hugging"]),
        ("adult+female+singing", ["adult", "female", "singing"]),
        ("Taking a book/phone", ["taking", "a", "book", "phone"]),
        ("ice_skating", ["ice", "skating"]),
        ("+/ ", []),
        ("dunking (basketball)", ["dunking", "basketball"]),
        ("playing rock, paper, scissors", ["playing", "rock", "paper", "scissors"]),
        ("massaging person's head", ["massaging", "person", "head"]),
        ("massaging person’s legs", ["massaging", "person", "legs"]),
        ("high-five", ["high-five"]),
        ("pull‑ups & push-ups!", ["pull-ups", "push-ups"]),
        ("tug-of-war", ["tug-of-war"]),
        ("-- e-mail: 'reading' --", ["e-mail", "reading"]),
        ("don't stop", ["dont", "stop"]),
        ("Grüßen/ 挨拶", ["grüßen", "挨拶"]),
        ("cafe\u0301 नमस्ते", ["cafe\u0301", "नमस्ते"]),
        ("100m", ["100m"]),
        ("?!", ["?!"]),
    ],
)
def test_words_of_an_action(action, words):
    assert words_of(action) == words


def test_the_words_of_both_vocabularies_are_those_with_a_vector():
    """data/external/README.md: GloVe's vectors of all 334 words of V1 and V2."""
    names = [line for v in (1, 2) for line in (EXTERNAL / f"mmit_v{v}_categories.txt").read_text().splitlines()]
    vectors = (EXTERNAL / "glove.6B.100d.mmit.txt").read_text().splitlines()
    assert len(names) == 313 + 292
    assert {word for name in names for word in words_of(name)} == {line.split(" ", 1)[0] for line in vectors}


@pytest.mark.parametrize("path", ["a/b.mp4", "a/b.MP4", "a.b/c", "a/.mp4", "a/b.c.mp4", ".hidden", "a/b."])
def test_a_video_id_keeps_the_folder(path):
    suffix = Path(path).suffix
    assert video_id_of(path) == path.removesuffix(suffix or ".")
