"""The metrics of multi-label recognition (DESIGN.md, "Metrics"): arrays in, percent out.

Shapes: B videos, N actions. Average precision is scikit-learn's: the step-wise area under precision and recall,
equal scores being one step. A ranking by `top1` and `top5` breaks ties by the lower action id.
"""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.foundations.runtime.errors import PlainError

Metric = Callable[[np.ndarray, np.ndarray], float]
MANY = 1000
"""Videos up to which scikit-learn judges each ranking. Of more, this module does, equal to it to rounding: scikit-learn
takes 2 ms for a video's ranking, and 10 ms for an action's."""


def map_sample(scores_BN: np.ndarray, targets_BN: np.ndarray) -> float:
    """The authors' mAP: the average precision of each video's ranking of actions, averaged over videos."""
    return float(video_precisions(scores_BN, targets_BN).mean())


def map_sample_of_each(scores_MBN: np.ndarray, targets_BN: np.ndarray) -> np.ndarray:
    """`map_sample` of M models on the same videos at once (M), to rounding: for many heads, scikit-learn's is slow.

    The step that a positive lies in, of all equal scores, gives its precision; their mean is the average precision.
    """
    kept = _with_positive(targets_BN)
    return np.asarray(100.0 * _ranked_precisions(scores_MBN[..., kept], targets_BN[:, kept]).mean(-1))


def _ranked_precisions(scores: np.ndarray, targets_BN: np.ndarray) -> np.ndarray:
    """The average precision of every ranking along the last axis, ... x B x N to ... x B, in [0, 1]."""
    targets = np.broadcast_to(targets_BN, scores.shape)
    order = np.argsort(-scores, axis=-1, kind="stable")
    scores, targets = (np.take_along_axis(values, order, axis=-1) for values in (scores, targets))
    ranks = np.arange(scores.shape[-1])
    last = np.append(scores[..., 1:] != scores[..., :-1], np.ones((*scores.shape[:-1], 1), bool), axis=-1)
    ends = np.minimum.accumulate(np.where(last, ranks, ranks[-1])[..., ::-1], axis=-1)[..., ::-1]
    precisions = np.take_along_axis(targets.cumsum(-1), ends, axis=-1) / (ends + 1)
    return np.asarray((precisions * targets).sum(-1) / targets.sum(-1))


def map_action(scores_BN: np.ndarray, targets_BN: np.ndarray) -> float:
    """M-MiT's macro mAP: the average precision of each action, averaged over actions with a positive."""
    return float(np.nanmean(action_precisions(scores_BN, targets_BN)))


def map_micro(scores_BN: np.ndarray, targets_BN: np.ndarray) -> float:
    """The average precision of all pairs of video and action in one ranking."""
    check(scores_BN, targets_BN)
    return _precision(scores_BN.ravel(), targets_BN.ravel())


def top1(scores_BN: np.ndarray, targets_BN: np.ndarray) -> float:
    """Videos whose best scored action is among theirs."""
    return float(hits(scores_BN, targets_BN, best=1).mean())


def top5(scores_BN: np.ndarray, targets_BN: np.ndarray) -> float:
    """Videos with any of the five best scored actions among theirs."""
    return float(hits(scores_BN, targets_BN, best=5).mean())


METRICS: dict[str, Metric] = {
    "map_sample": map_sample,
    "map_action": map_action,
    "map_micro": map_micro,
    "top1": top1,
    "top5": top5,
}
"""Every metric under its one name, in the order of the tables."""


def actions_evaluated(targets_BN: np.ndarray) -> int:
    """How many actions have a positive, which is how many `map_action` averages over."""
    return int(_with_positive(targets_BN).sum())


def video_precisions(scores_BN: np.ndarray, targets_BN: np.ndarray) -> np.ndarray:
    """The average precision of each video's ranking (B), in percent; actions without a positive are left out."""
    check(scores_BN, targets_BN)
    kept = _with_positive(targets_BN)
    if len(scores_BN) > MANY:
        blocks = range(0, len(scores_BN), MANY)
        pairs = ((scores_BN[start : start + MANY, kept], targets_BN[start : start + MANY, kept]) for start in blocks)
        return np.concatenate([100.0 * _ranked_precisions(*pair) for pair in pairs])
    rows = zip(scores_BN[:, kept], targets_BN[:, kept], strict=True)
    return np.array([_precision(scores, targets) for scores, targets in rows])


def action_precisions(scores_BN: np.ndarray, targets_BN: np.ndarray) -> np.ndarray:
    """The average precision of each action's ranking of videos (N), in percent; NaN without a positive."""
    check(scores_BN, targets_BN)
    columns = zip(scores_BN.T, targets_BN.T, strict=True)
    precision = _precision if len(scores_BN) <= MANY else _precision_of_many
    return np.array([precision(scores, targets) if targets.any() else np.nan for scores, targets in columns])


def hits(scores_BN: np.ndarray, targets_BN: np.ndarray, *, best: int) -> np.ndarray:
    """100 where one of a video's `best` first actions is among its own, else 0 (B)."""
    check(scores_BN, targets_BN)
    first = np.argsort(-scores_BN, axis=1, kind="stable")[:, :best]
    return np.where(np.take_along_axis(targets_BN, first, axis=1).any(axis=1), 100.0, 0.0)


def check(scores_BN: np.ndarray, targets_BN: np.ndarray) -> None:
    """Refuse scores without a valid ranking.

    Raises:
        PlainError: no video, shapes that differ, a score that is not finite, or a video without an action.
    """
    if scores_BN.shape != targets_BN.shape or scores_BN.ndim != 2 or not scores_BN.size:
        raise PlainError(
            f"scores {scores_BN.shape} and targets {targets_BN.shape}: both must be videos x actions, and not empty"
        )
    if not np.isfinite(scores_BN).all():
        raise PlainError("scores hold NaN or infinity, so the model diverged: try a lower train.learning_rate")
    if not targets_BN.any(axis=1).all():
        raise PlainError(f"targets: video {int(targets_BN.any(axis=1).argmin())} has no action, so it cannot be scored")


def _with_positive(targets_BN: np.ndarray) -> np.ndarray:
    return np.asarray(targets_BN.any(axis=0))


def _precision(scores: np.ndarray, targets: np.ndarray) -> float:
    return 100.0 * float(average_precision_score(targets, scores))


def _precision_of_many(scores: np.ndarray, targets: np.ndarray) -> float:
    return 100.0 * float(_ranked_precisions(scores[None], targets[None])[0])
