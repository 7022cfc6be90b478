"""What we found: the paper's questions, answered from tuned tables of `m3a ablate` only.

A table whose rows were all trained at one learning rate answers none of them, since a row that learns more slowly at
that rate looks worse than it is. One seed answers none, since it says nothing about training noise.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.ablate import tables
from pipeline.ablate.result import Line, Result
from pipeline.ablate.statistics import Figure

METRICS = ("map_sample", "map_action")
"""That answers are given in."""


class Question(NamedTuple):
    """A question, and the rows whose difference to the first of their table answers it."""

    text: str
    ablation: str
    rows: tuple[str, ...]


QUESTIONS = (
    Question(
        "Do the paper's heads beat a fully connected layer?", "table1", ("visual", "audio", "text", "audio-text", "all")
    ),
    Question("Does the scored video's own sound help the fully connected layer?", "table1", ("late_fusion",)),
    Question("Does the GCN matter?", "controls", ("free_matrix", "fc")),
    Question("Does the graph matter?", "controls", ("no_edges", "rewired")),
    Question("Does the content of the forms matter?", "controls", ("shuffled_forms", "random_forms")),
    Question("Does hearing the scored video matter?", "controls", ("late_fusion",)),
)


class Comparison(NamedTuple):
    """One row against the first of its table."""

    row: str
    against: str
    metric: str
    figure: Figure
    words: str


class Finding(NamedTuple):
    """The answer to a question on one data set, in one mode."""

    question: str
    anchor: str
    """Of the table that it is from."""
    mode: str
    data: str
    seeds: int
    comparisons: list[Comparison]


def findings(results: Sequence[Result]) -> list[Finding]:
    """Every answer that the tables allow, question by question; none where no table was tuned with several seeds."""
    tuned = [result for result in results if result.budget and result.seeds > 1]
    return [
        finding
        for question in QUESTIONS
        for result in tuned
        if result.ablation == question.ablation and (finding := _finding(question, result))
    ]


def _finding(question: Question, result: Result) -> Finding | None:
    first = result.first("tuned")
    rows = [line for line in result.lines if line.tuning == "tuned" and line.row in question.rows and line.figures]
    if first is None or first.row != _reference(question) or not rows:
        return None
    comparisons = [_comparison(line, first, metric) for line in rows for metric in METRICS if line.figures[metric].lead]
    return Finding(question.text, result.name, tables.MODES[result.mode], result.measured_on, result.seeds, comparisons)


def _reference(question: Question) -> str:
    """The row that answers are differences to; where it failed, nothing is answered."""
    return "fc" if question.ablation == "table1" else "model"


def _comparison(line: Line, first: Line, metric: str) -> Comparison:
    figure = line.figures[metric]
    return Comparison(line.label, first.label, tables.SHOWN[metric], figure, _words(figure))


def _words(figure: Figure) -> str:
    """The difference in words, as far as its interval supports them."""
    lead = figure.lead
    if lead is None or not figure.apart:
        return "not told apart"
    return "better" if lead.value > 0 else "worse"
