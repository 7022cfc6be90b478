"""Tune the rows of a table: the same trials for every row, chosen on the validation split only.

Where heads are trained on frozen features, stage `heads` tunes them itself (`frozen.tune`), and its table of trials is
read here. Where all is trained jointly, each trial is a DVC experiment up to stage `train`, over the grid below. A
trial that diverged is a trial: it counts towards the budget and is never chosen. The chosen setting is then trained
with new seeds and scored on the test split.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from pipeline.ablate.rows import Changes, Value
from pipeline.foundations.params import Params

JOINT_GRID: tuple[Changes, ...] = tuple(
    {"train.head_rate": rate, "train.head_weight_decay": decay}
    for rate, decay in ((0.1, 1.0e-3), (1.0, 1.0e-4), (10.0, 1.0e-5), (100.0, 1.0e-6), (1000.0, 1.0e-7))
)
"""Of joint training: the learning rate of the head, as a factor of `train.learning_rate`, and its weight decay, which
falls as the rate rises, so that a step shrinks the weights alike. Lexicons' heads want the lower end, the linear layer
the upper one. Epochs are `train.epochs`, since each trial trains the 3D-CNN again."""
TRIAL_SEED = 1000
"""`train.seed_offset` of a joint trial; the seeds that are scored start at 0."""
CHOSEN_BY = "mAP (by video) on the validation split"


class Trial(NamedTuple):
    """One training of a row, scored on the validation split."""

    row: str
    number: int
    """Of the setting in the grid."""
    seed: int
    settings: Changes
    score: float
    """`map_sample` of the validation split, in percent; NaN where there is none."""
    failed: str
    """Why there is no score: diverged, or the reason; or empty."""
    chosen: bool = False


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The best of a row's trials, the first of equals; None where none has a score."""
    scored = [trial for trial in trials if not trial.failed]
    return max(scored, key=lambda trial: trial.score) if scored else None


def of_table(row: str, trials: pa.Table) -> list[Trial]:
    """The tuning that stage `heads` did, from its table `trials`."""
    return [
        Trial(
            row,
            entry["trial"],
            entry["seed"],
            {f"frozen.{name}": entry[name] for name in ("learning_rate", "weight_decay", "epochs")},
            entry["map_sample"],
            "diverged" if entry["diverged"] else "",
            entry["chosen"],
        )
        for entry in trials.to_pylist()
        if entry["role"] == "tuning"
    ]


def settings_of(trials: pa.Table, role: str) -> Changes | None:
    """The final settings of the heads of a role, tuned or untuned; None where there are none."""
    rows = [row for row in trials.to_pylist() if row["role"] == role and (row["chosen"] or role == "untuned")]
    if not rows:
        return None
    return {f"frozen.{name}": rows[-1][name] for name in ("learning_rate", "weight_decay", "epochs")}


def budget(params: Params, mode: str) -> str:
    """The tuning budget of every row, in a sentence."""
    frozen = params.frozen
    if mode == "joint":
        seeds, settings = 1, " with ".join(_values(key, [each[key] for each in JOINT_GRID]) for key in JOINT_GRID[0])
    else:
        grid: Mapping[str, Sequence[Value]] = {
            "frozen.learning_rate": frozen.tune_learning_rates,
            "frozen.weight_decay": frozen.tune_weight_decays,
            "frozen.epochs": frozen.tune_epochs,
        }
        seeds, settings = frozen.tune_seeds, " x ".join(_values(key, values) for key, values in grid.items())
    each = "one seed each" if seeds == 1 else f"{seeds} seeds each"
    return (
        f"Budget of each row: {trials_of(params, mode)} trials ({settings}; {each}), chosen by {CHOSEN_BY}; then "
        "trained with other seeds and scored once."
    )


def _values(key: str, values: Sequence[Value]) -> str:
    return f"{key} {', '.join(written(value) for value in values)}"


def trials_of(params: Params, mode: str) -> int:
    """How many trainings tuning a row takes."""
    frozen = params.frozen
    if mode == "joint":
        return len(JOINT_GRID)
    settings = len(frozen.tune_learning_rates) * len(frozen.tune_weight_decays) * len(frozen.tune_epochs)
    return settings * frozen.tune_seeds


def told(settings: Mapping[str, Value], trials: Sequence[Trial] = ()) -> str:
    """Settings in short, with the number of trials and of those without a score."""
    words = ", ".join(f"{key.partition('.')[2]} {written(value)}" for key, value in settings.items())
    diverged = sum(trial.failed == "diverged" for trial in trials)
    failed = sum(bool(trial.failed) for trial in trials) - diverged
    lost = [f"{count} {what}" for count, what in ((diverged, "diverged"), (failed, "failed")) if count]
    return f"{words}; of {len(trials)} trials {' and '.join(lost) or 'none diverged'}" if trials else words


def written(value: Value) -> str:
    """A value in its shortest exact form."""
    return f"{value:g}" if isinstance(value, float) else "null" if value is None else str(value)
