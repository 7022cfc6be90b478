"""What is in each video of the sample, before anything is drawn: its actions and the state of its sound and file.

An action that a video is labelled with is heard but not shown with probability `render.hidden`, and shown but not heard
with that probability where it is shown. What sight alone can then tell: `pipeline.dataset.sample.achievable`.
"""

from typing import Literal, NamedTuple

from pipeline.dataset.sample.cooccurrence import draw_actions
from pipeline.foundations.params import Render
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.seeds import generator

Defect = Literal["no audio stream", "digital silence", "below threshold", "truncated"]


class Plan(NamedTuple):
    """One video."""

    split: str
    """train, validation or test."""
    path: str
    """Below the videos' folder: its lead action's folder and its name."""
    actions: tuple[str, ...]
    """Its labels, one to four, the lead first."""
    defect: Defect | None
    shown: tuple[str, ...]
    """Those of its actions that can be seen; all where `render.hidden` is 0."""
    heard: tuple[str, ...]
    """Those of its actions that sound."""


def draw_plans(render: Render) -> list[Plan]:
    """Every video of the sample, in the annotation files' order.

    Raises:
        PlainError: more defects are asked for than there are videos to bear them.
    """
    splits = {"train": render.train, "validation": render.validation, "test": render.test}
    rows = [split for split, videos in splits.items() for _ in range(videos)]
    defects = _draw_defects(render, rows)
    plans = []
    for number, split in enumerate(rows):
        actions = draw_actions(generator(render.seed, "actions", number))
        shown, heard = _present(render, number, actions)
        plans.append(Plan(split, f"{actions[0]}/clip-{number:05d}.mp4", actions, defects.get(number), shown, heard))
    return plans


def _present(render: Render, number: int, actions: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of a video's actions are shown, and which are heard; each is one or the other, or both."""
    rng = generator(render.seed, "hidden", number)
    drawn = [(action, *(rng.random(2) < render.hidden)) for action in actions]
    unseen = {action for action, hidden, _ in drawn if hidden}
    silent = {action for action, hidden, mute in drawn if mute and not hidden}
    return (
        tuple(action for action in actions if action not in unseen),
        tuple(action for action in actions if action not in silent),
    )


def _draw_defects(render: Render, rows: list[str]) -> dict[int, Defect]:
    """Which videos are defective, at most one defect each; truncated files are training videos."""
    shares: dict[Defect, float] = {
        "no audio stream": render.no_audio_stream,
        "digital silence": render.digital_silence,
        "below threshold": render.below_threshold,
    }
    order = [int(number) for number in generator(render.seed, "defects").permutation(len(rows))]
    truncated = [number for number in order if rows[number] == "train"][: render.truncated]
    if len(truncated) < render.truncated:
        raise PlainError(
            f"render.truncated is {render.truncated}, but there are only {render.train} training videos: lower it"
        )
    defects: dict[int, Defect] = dict.fromkeys(truncated, "truncated")
    others = iter(number for number in order if number not in defects)
    for defect, share in shares.items():
        for _ in range(round(share * len(rows))):
            number = next(others, None)
            if number is None:
                raise PlainError("render: more videos are to have a defect than there are; lower the shares")
            defects[number] = defect
    return defects
