"""What is in each video of the sample, before anything is drawn: its actions and the state of its sound and file."""

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
    """One to four, the lead first."""
    defect: Defect | None


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
        plans.append(Plan(split, f"{actions[0]}/clip-{number:05d}.mp4", actions, defects.get(number)))
    return plans


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
        raise PlainError(f"render.truncated: found {render.truncated}, expected at most render.train, {render.train}")
    defects: dict[int, Defect] = dict.fromkeys(truncated, "truncated")
    others = iter(number for number in order if number not in defects)
    for defect, share in shares.items():
        for _ in range(round(share * len(rows))):
            number = next(others, None)
            if number is None:
                raise PlainError("render: more videos are to have a defect than there are; lower the shares")
            defects[number] = defect
    return defects
