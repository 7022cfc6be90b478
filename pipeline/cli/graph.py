"""`m3a graph`: the graph of a data set's labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.app import DATA, app, out
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.dataset.annotations import Annotations

WORDS = Path("data/external")
"""Folder of the project's word vectors, glove.*.txt."""
PAPER_THRESHOLD = 0.4


@app.command(rich_help_panel=DATA, epilog="Example: m3a graph /data/charades/annotations --to data/labels")
def graph(
    annotations: Annotated[Path, typer.Argument(metavar="ANNOTATIONS", help="Folder of published annotation files.")],
    to: Annotated[Path, typer.Option(help="Folder for the page and the tables.")] = Path("data/labels"),
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Edges are pairs whose P(j | i) is above it.")] = (
        PAPER_THRESHOLD
    ),
    at_least: Annotated[
        bool, typer.Option("--at-least", help="Edges also at the threshold itself (released code).")
    ] = False,
    symmetrize: Annotated[
        Literal["none", "or", "and"],
        typer.Option(help="Directed edges, or undirected ones where either or both directions pass."),
    ] = "none",
    words: Annotated[
        Path | None, typer.Option(help="GloVe or word2vec vectors for the text lexicon; default: the project's.")
    ] = None,
) -> None:
    """Draw how the actions of a data set relate, from its annotation files alone: no video is needed.

    Reads M-MiT's files, Charades' or your own videos.csv, whichever the folder holds. Writes index.html and the tables
    behind it: edges by threshold, actions without an edge, the strongest pairs, the graph of the training labels; and
    the text lexicon, where the vectors know a word of every action.
    """
    from pipeline.dataset.dataset import READERS, source_of
    from pipeline.foundations.params import Adjacency
    from pipeline.report import label_graph

    source = source_of(annotations)
    read = READERS[source](annotations)
    rule = Adjacency(
        scope="full",
        threshold=threshold,
        comparison="at_least" if at_least else "above",
        symmetrize=symmetrize,
        normalization="paper",
    )
    made = label_graph.build(
        read, source, rule, splits=("train",), text=_text(read, [words] if words else sorted(WORDS.glob("glove.*.txt")))
    )
    page = label_graph.write(made, to)
    for name, sentence in label_graph.summary(made):
        out.print(f"{name:<20}{sentence}", markup=False)
    out.print(f"the page: {page.absolute().as_uri()}", markup=False)


def _text(annotations: "Annotations", words: Sequence[Path]) -> "pa.Table | None":
    """Table `text` from the first vectors that cover every action; None, with a message on each file, where none do."""
    from pipeline.dataset.index import actions_table
    from pipeline.lexicon import text
    from pipeline.lexicon.words import size_of

    said = []
    for path in words:
        try:
            built = text.build(actions_table(annotations.actions), path, size_of(path))
        except PlainError as error:
            said.append(str(error))
            continue
        if not built.bare:
            return built.table
        said.append(f"{path}: no vector for any word of {', '.join(built.bare)}")
    say(
        "\n".join(
            f"no text lexicon: {sentence}" for sentence in said or [f"no vectors in {WORDS}: name a file by --words"]
        )
    )
    return None
