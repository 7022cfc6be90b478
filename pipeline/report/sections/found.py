"""What we found: the paper's questions, answered from tuned tables of `m3a ablate` only.

A table whose rows were all trained at one learning rate answers none of them, since a row that learns more slowly at
that rate looks worse than it is. One seed answers none, since it says nothing about training noise.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from pipeline.ablate.result import LABELS, Labels, Line, Result
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
        "Do the paper's heads beat a fully connected layer?", "table1", ("all", "visual", "audio-text", "audio", "text")
    ),
    Question("Does the scored video's own sound help the fully connected layer?", "table1", ("late_fusion",)),
    Question("Does the GCN matter?", "controls", ("free_matrix", "fc")),
    Question("Does the graph matter?", "controls", ("no_edges", "rewired")),
    Question("Does the content of the forms matter?", "controls", ("shuffled_forms", "random_forms")),
    Question("Does hearing the scored video matter?", "controls", ("late_fusion",)),
    Question(
        "Do more forms of an action help, or words?", "table2", ("audio-2", "audio-3", "text-words", "audio_text")
    ),
    Question(
        "Do later losses and heads beat the paper's?",
        "baselines",
        ("model-asl", "model-focal", "fc", "fc-wlsep", "fc-asl", "fc-focal", "decoder", "decoder_text", "late_fusion"),
    ),
)
REFERENCES = {"table1": "fc", "controls": "model", "table2": "audio-1", "baselines": "model"}
"""The row of each table that answers are differences to."""


class Measured(NamedTuple):
    """The differences that one table gives: of one data set, in one mode."""

    anchor: str
    """Of the table."""
    mode: Literal["joint", "frozen"]
    data: str
    """The data set and the split that was scored."""
    labels: str
    """Those that were measured, where not all were, in words."""
    seeds: int
    figures: list[list[Figure] | None]
    """Of each of the answer's rows, by metric; None where the table has none or it failed."""


class Answer(NamedTuple):
    """All that tables say of a question."""

    question: str
    against: str
    """What the differences are to."""
    rows: list[str]
    """What is compared, in words."""
    measured: list[Measured]


def answers(results: Sequence[Result]) -> list[Answer]:
    """What the tables allow to say, question by question; nothing where no table was tuned with several seeds."""
    tuned = sorted((r for r in results if r.budget and r.seeds > 1), key=_place)
    return [found for question in QUESTIONS if (found := _answer(question, tuned))]


def _place(result: Result) -> tuple[bool, bool, str, int]:
    """Joint training and real data first; the tables of a data set together, that of all labels before others."""
    rendered = result.data.startswith("sample")
    return result.mode != "joint", rendered, result.data, list(get_args(Labels)).index(result.labels)


def _answer(question: Question, results: Sequence[Result]) -> Answer | None:
    usable = [
        (result, first, lines)
        for result in results
        if result.ablation == question.ablation
        and (first := result.first("tuned"))
        and first.row == REFERENCES[question.ablation]  # where it failed, nothing is answered
        and (lines := _lines(question, result))
    ]
    if not usable:
        return None
    labels = {row: line.label for _, _, lines in usable for row, line in lines.items()}
    rows = [row for row in question.rows if row in labels]
    measured = [
        Measured(
            result.name,
            result.mode,
            result.data,
            LABELS[result.labels] if result.labels else "",
            result.seeds,
            [[lines[row].figures[name] for name in METRICS] if row in lines else None for row in rows],
        )
        for result, _, lines in usable
    ]
    return Answer(question.text, usable[0][1].label, [labels[row] for row in rows], measured)


def _lines(question: Question, result: Result) -> dict[str, Line]:
    """The tuned rows of a table that a question asks for, with what they gained on its first."""
    return {
        line.row: line
        for line in result.lines
        if line.tuning == "tuned" and line.row in question.rows and line.figures and line.figures[METRICS[0]].lead
    }
