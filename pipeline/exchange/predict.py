"""The best actions of any video file, by the views and scores of testing.

video -> frames (guarded) -> views -> a trained or an exported model -> scores, combined -> the best actions
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pydantic import ValidationError

from pipeline.evaluate.testing import score_video, score_views
from pipeline.exchange.exported import open_exported
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.frames import Pictures, reader
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Evaluate, Frames, Media
from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.checkpoint import load_model
from pipeline.model.determinism import reproducible
from pipeline.model.normalize import as_clips
from pipeline.model.place import place
from pipeline.model.positions import counted_at

THREADS = 1
"""As in stage `evaluate`, for equal scores."""


class Action(NamedTuple):
    """An action and its score."""

    action: str
    score: float
    """In [0, 1]; actions do not exclude one another."""


class Prediction(NamedTuple):
    """The best actions of a video, or why it could not be read."""

    video: str
    actions: tuple[Action, ...]
    """The best, best first; ties in the order of the vocabulary."""
    reason: str
    """Empty where the video could be read."""


class Scorer(NamedTuple):
    """A trained or exported model with its preprocessing."""

    actions: tuple[str, ...]
    frames: Frames
    evaluate: Evaluate
    score: Callable[[Pictures], np.ndarray]
    """A decoded video, of short side `evaluate.short_side`, to its N scores."""


def predict(
    videos: Sequence[Path], model: Path, *, top: int, evaluate: Evaluate, media: Media, device: torch.device
) -> Iterator[Prediction]:
    """Score videos one after the other; one that cannot be read has a reason in the place of actions.

    Args:
        videos: the files. Symbolic links are followed, since the user named them.
        model: the folder of a trained model, or a file of `m3a export`.
        top: how many actions.
        evaluate: the views; an exported model brings its own, and takes only the batch from here.
        media: bounds on decoding.
        device: of a trained model; exported ones run on the CPU.

    Raises:
        PlainError: the model cannot be read, or its scores are not finite.
    """
    scorer = open_scorer(model, evaluate=evaluate, device=device)
    with reproducible(THREADS), Guard(media) as guard:
        for video in videos:
            try:
                pictures = guard.call(reader(scorer.frames, scorer.evaluate.short_side), video.resolve(), media)
            except Undecodable as error:
                yield Prediction(str(video), (), str(error))
            else:
                yield Prediction(str(video), best(scorer.score(pictures), scorer.actions, top), "")


def best(scores_N: np.ndarray, actions: Sequence[str], top: int) -> tuple[Action, ...]:
    """The `top` best scored actions."""
    order = np.argsort(-scores_N, kind="stable")[:top]
    return tuple(Action(actions[number], float(scores_N[number])) for number in order)


def open_scorer(model: Path, *, evaluate: Evaluate, device: torch.device) -> Scorer:
    """Read a trained model's folder, or an exported model's file.

    Raises:
        PlainError: it cannot be read, or is not one of ours.
    """
    return _trained(model, evaluate, device) if model.is_dir() or not model.suffix else _exported(model, evaluate)


def _trained(folder: Path, evaluate: Evaluate, device: torch.device) -> Scorer:
    network, about = load_model(folder)
    if about.design.model.late_fusion:
        raise PlainError(
            f"{folder}: needs each video's VGGish embedding (late_fusion), which only `dvc repro evaluate` computes"
        )
    place(network, device, mixed_precision=evaluate.mixed_precision)

    def score(video: Pictures) -> np.ndarray:
        return score_video(network, video.pixels, counted_at(about.design.frames, video.fps), evaluate)

    return Scorer(about.actions, about.design.frames, evaluate, score)


def _exported(file: Path, evaluate: Evaluate) -> Scorer:
    exported = open_exported(file, threads=THREADS)
    about = exported.description
    try:
        frames = Frames.model_validate(about["frames"])
        views = Evaluate.model_validate(evaluate.model_dump() | about["evaluate"])
        actions = tuple(map(str, about["actions"]))
    except (KeyError, TypeError) as error:
        raise PlainError(f"{file}: its description lacks {error}; expected a model written by `m3a export`") from error
    except ValidationError as error:
        fault = error.errors()[0]
        key = f"{error.title.lower()}.{'.'.join(map(str, fault['loc']))}"
        raise PlainError(
            f"{file}: its description is not one of `m3a export`: {key}: {fault['msg'].lower()}"
        ) from error

    @torch.inference_mode()
    def scores(batch_BFYXC: np.ndarray) -> np.ndarray:
        return exported.scores(as_clips(torch.from_numpy(batch_BFYXC), frames)).numpy()

    def score(video: Pictures) -> np.ndarray:
        return score_views(scores, video.pixels, counted_at(frames, video.fps), views)

    return Scorer(actions, frames, views, score)
