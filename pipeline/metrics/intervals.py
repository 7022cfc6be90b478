"""Confidence intervals of metrics over test videos (bootstrap) and training seeds.

Videos are drawn with replacement, R times, and each draw is kept as how often it holds each video: `draws_BR`.
A metric on a draw is then a weighted metric on the videos as they are, so that a ranking is sorted once and not
R times, and two models compared on the same draws are compared on the same videos (a paired bootstrap).
Shapes: R draws, B videos, N actions, S seeds.

Of one model, intervals are the percentiles of the draws at 95%, moved so that the draws' median stands at the figure.
For means over videos that is next to nothing. Average precision, though, is higher on draws than on as many fresh
videos: a video that is drawn twice stands beside itself in the ranking. Unmoved, its interval could leave its figure
outside.

The evaluated actions of `map_sample` are those with a positive in the whole set, in every draw; `map_action`
averages, in each draw, over the actions with a positive there.

**Videos and seeds together.** A percentile bootstrap of three seeds is anti-conservative, so a configuration trained
with S seeds has a t-interval in which videos and seeds are crossed random effects, as cases and readers are in studies
of diagnostic imaging (Obuchowski and Rockette 1995, Hillis 2007). Seeds are not paired between configurations:

    variance of the mean over seeds = V_video + s^2 / S

s^2 is the sample variance of the seeds' own figures. V_video is the bootstrap's variance of their mean, less what the
seeds' disagreement about single videos adds to it, which s^2 / S holds already: (V_each - V_mean) / (S - 1), V_each
being the mean of the bootstrap variances of single seeds. A lead has V_video of the difference, and s^2 / S of both
sides. Degrees of freedom are Satterthwaite's (1946). For two sides that differ in their seeds alone V_video is about
0, and the interval is that of Welch's t-test.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.sparse import csr_array

from pipeline.foundations.tables.seeds import generator
from pipeline.metrics import metrics

LEVEL = 95.0
CELLS = 1 << 20  # numbers held at once while a ranking is weighed by many draws: 8 MiB, which caches hold


class Estimate(NamedTuple):
    """A figure in percent (or a difference in percentage points) and its 95% interval."""

    value: float
    low: float
    high: float


class Part(NamedTuple):
    """A part of a variance, with its degrees of freedom."""

    variance: float
    freedom: int


class Measured(NamedTuple):
    """Every metric of one model, by name: on the videos as they are, and on R draws of them."""

    values: dict[str, float]
    over_draws: dict[str, np.ndarray]
    videos: int
    """B."""


def draw(videos: int, count: int, seed: int) -> np.ndarray:
    """How often each of `count` draws of B videos with replacement holds each video (B x R)."""
    times_RB = generator(seed, "bootstrap").multinomial(videos, np.full(videos, 1 / videos), size=count)
    return np.ascontiguousarray(times_RB.T, dtype=np.float64)


def measure(scores_BN: np.ndarray, targets_BN: np.ndarray, draws_BR: np.ndarray) -> Measured:
    """Every metric on the videos as they are, and on every draw."""
    values = {name: metric(scores_BN, targets_BN) for name, metric in metrics.METRICS.items()}
    return Measured(values, resampled(scores_BN, targets_BN, draws_BR), len(scores_BN))


def estimates(measured: Measured) -> dict[str, Estimate]:
    """Every metric with its interval."""
    return {name: estimate(value, measured.over_draws[name]) for name, value in measured.values.items()}


def leads(ours: Measured, theirs: Measured) -> dict[str, Estimate]:
    """Our lead by every metric, with the interval of a paired bootstrap: both measured on the same draws."""
    return {
        name: estimate(value - theirs.values[name], ours.over_draws[name] - theirs.over_draws[name], lowest=-100.0)
        for name, value in ours.values.items()
    }


def averaged(of_seeds: Sequence[Measured]) -> Measured:
    """The mean over seeds of every metric, on the videos as they are and on every draw of them."""
    return Measured(
        {name: float(np.mean([one.values[name] for one in of_seeds])) for name in of_seeds[0].values},
        {name: np.mean([one.over_draws[name] for one in of_seeds], axis=0) for name in of_seeds[0].values},
        of_seeds[0].videos,
    )


def estimates_over_seeds(of_seeds: Sequence[Measured]) -> dict[str, Estimate]:
    """Every metric's mean over seeds, with its interval over videos and seeds; of one seed, over videos alone."""
    mean = averaged(of_seeds)
    if len(of_seeds) == 1:
        return estimates(mean)
    return {name: _crossed(value, mean.over_draws[name], [of_seeds], name) for name, value in mean.values.items()}


def leads_over_seeds(ours: Sequence[Measured], theirs: Sequence[Measured]) -> dict[str, Estimate]:
    """The lead of our mean over seeds over theirs, by every metric, with its interval over videos and seeds.

    Where either side has one seed, training noise cannot be known, and the interval is over videos alone. All are
    measured on the same draws.
    """
    mean, other = averaged(ours), averaged(theirs)
    if min(len(ours), len(theirs)) == 1:
        return leads(mean, other)
    return {
        name: _crossed(
            value - other.values[name],
            mean.over_draws[name] - other.over_draws[name],
            [ours, theirs],
            name,
            lowest=-100.0,
        )
        for name, value in mean.values.items()
    }


def told_apart(lead: Estimate, *, seeds: int) -> bool:
    """Whether two configurations differ: both have two `seeds` or more, and the lead's interval leaves out 0.

    With one seed on either side the interval knows no training noise, so that nothing is told apart.
    """
    return seeds > 1 and (lead.low > 0 or lead.high < 0)


def _crossed(
    value: float, over_draws_R: np.ndarray, sides: Sequence[Sequence[Measured]], name: str, *, lowest: float = 0.0
) -> Estimate:
    """A t-interval with videos and the seeds of each side as crossed random effects."""
    seeds = [_seed_part([one.values[name] for one in of_seeds]) for of_seeds in sides]
    counted_twice = sum(_disagreement([one.over_draws[name] for one in of_seeds]) for of_seeds in sides)
    net = float(np.nanvar(over_draws_R, ddof=1)) - counted_twice
    shared = Part(max(net, 0.0), max(sides[0][0].videos - 1, 1))
    reach = _reach([shared, *seeds])
    low, high = np.clip([value - reach, value + reach], lowest, 100.0)
    return Estimate(float(value), float(low), float(high))


def _seed_part(values_S: Sequence[float]) -> Part:
    """The variance of a mean over seeds that the seeds themselves cause."""
    return Part(float(np.var(values_S, ddof=1)) / len(values_S), len(values_S) - 1)


def _disagreement(over_draws_SR: Sequence[np.ndarray]) -> float:
    """What the seeds' disagreement about single videos adds to the bootstrap's variance of their mean."""
    each = float(np.mean([np.nanvar(over_draws_R, ddof=1) for over_draws_R in over_draws_SR]))
    together = float(np.nanvar(np.mean(over_draws_SR, axis=0), ddof=1))
    return max(each - together, 0.0) / (len(over_draws_SR) - 1)


def _reach(parts: Sequence[Part]) -> float:
    """Half of a 95% t-interval whose variance is a sum of parts, with Satterthwaite's degrees of freedom."""
    variance = sum(part.variance for part in parts)
    if variance == 0:
        return 0.0
    freedom = variance**2 / sum(part.variance**2 / part.freedom for part in parts if part.variance)
    return float(stats.t.ppf(0.5 + LEVEL / 200, freedom)) * math.sqrt(variance)


def action_estimates(scores_BN: np.ndarray, targets_BN: np.ndarray, draws_BR: np.ndarray) -> list[Estimate]:
    """Each action's average precision with its interval, over the draws in which it has a positive."""
    values = metrics.action_precisions(scores_BN, targets_BN)
    over_draws_RN = _action_precisions(scores_BN, targets_BN, draws_BR)
    return [estimate(value, over_draws) for value, over_draws in zip(values, over_draws_RN.T, strict=True)]


def action_leads(
    ours_BN: np.ndarray, theirs_BN: np.ndarray, targets_BN: np.ndarray, draws_BR: np.ndarray
) -> list[Estimate]:
    """Our lead in each action's average precision, with the interval of a paired bootstrap."""
    values = metrics.action_precisions(ours_BN, targets_BN) - metrics.action_precisions(theirs_BN, targets_BN)
    ours_RN, theirs_RN = (_action_precisions(scores_BN, targets_BN, draws_BR) for scores_BN in (ours_BN, theirs_BN))
    return [
        estimate(value, over_draws, lowest=-100.0)
        for value, over_draws in zip(values, (ours_RN - theirs_RN).T, strict=True)
    ]


def estimate(value: float, over_draws_R: np.ndarray, *, lowest: float = 0.0, highest: float = 100.0) -> Estimate:
    """A figure and its interval, from what it was over the draws; draws without a figure (NaN) do not count."""
    known = over_draws_R[~np.isnan(over_draws_R)]
    if not known.size:
        return Estimate(float(value), np.nan, np.nan)
    tail = (100 - LEVEL) / 2
    low, middle, high = np.percentile(known, [tail, 50, 100 - tail])
    low, high = np.clip([low - middle + value, high - middle + value], lowest, highest)
    return Estimate(float(value), float(low), float(high))


def resampled(scores_BN: np.ndarray, targets_BN: np.ndarray, draws_BR: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric on every draw (R), under its name."""
    per_video = {
        "map_sample": metrics.video_precisions(scores_BN, targets_BN),
        "top1": metrics.hits(scores_BN, targets_BN, best=1),
        "top5": metrics.hits(scores_BN, targets_BN, best=5),
    }
    means = {name: values @ draws_BR / draws_BR.sum(axis=0) for name, values in per_video.items()}
    return means | {
        "map_action": np.nanmean(_action_precisions(scores_BN, targets_BN, draws_BR), axis=1),
        "map_micro": _micro_precisions(scores_BN, targets_BN, draws_BR),
    }


def _action_precisions(scores_BN: np.ndarray, targets_BN: np.ndarray, draws_BR: np.ndarray) -> np.ndarray:
    """Average precision of each action on each draw (R x N), in percent; NaN where a draw holds no positive."""
    videos = np.arange(len(scores_BN))
    columns = [
        _precisions(scores, targets, videos, draws_BR)
        for scores, targets in zip(scores_BN.T, targets_BN.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def _micro_precisions(scores_BN: np.ndarray, targets_BN: np.ndarray, draws_BR: np.ndarray) -> np.ndarray:
    """Average precision of all pairs in one ranking, on each draw (R), in percent."""
    videos = np.repeat(np.arange(len(scores_BN)), scores_BN.shape[1])
    return _precisions(scores_BN.ravel(), targets_BN.ravel(), videos, draws_BR)


def _precisions(scores_M: np.ndarray, targets_M: np.ndarray, videos_M: np.ndarray, draws_BR: np.ndarray) -> np.ndarray:
    """Average precision, on each draw (R), of one ranking of M entries, each belonging to a video, in percent.

    Precision counts only where a positive is found. So the ranking is cut into K steps, each ending with a group of
    equal scores that holds a positive, and a sparse K x B matrix says how many of a video's entries a step passes.
    """
    order = np.argsort(-scores_M, kind="stable")
    targets, videos = targets_M[order], videos_M[order]
    group = np.cumsum(np.diff(scores_M[order], prepend=scores_M[order[0]]) != 0)
    finds = np.bincount(group, weights=targets) > 0
    step: np.ndarray = (np.cumsum(finds) - finds)[group]  # steps that end above this entry's group
    steps, shape = int(finds.sum()), (int(finds.sum()), len(draws_BR))
    if not steps:
        return np.full(draws_BR.shape[1], np.nan)
    passes = _counts(step[step < steps], videos[step < steps], shape)  # what ranks below the last positive is dropped
    gains = _counts(step[targets], videos[targets], shape)
    at_once = max(1, CELLS // steps)
    pieces = [draws_BR[:, start : start + at_once] for start in range(0, draws_BR.shape[1], at_once)]
    return np.concatenate([_weighted(passes @ piece, gains @ piece) for piece in pieces])


def _counts(steps: np.ndarray, videos: np.ndarray, shape: tuple[int, int]) -> csr_array:
    return csr_array((np.ones(len(steps)), (steps, videos)), shape=shape)


def _weighted(passed_KR: np.ndarray, gained_KR: np.ndarray) -> np.ndarray:
    """Average precision (R) in percent from what each of K steps passes and finds; NaN where nothing is found."""
    found_KR = np.cumsum(gained_KR, axis=0)
    with np.errstate(invalid="ignore"):  # 0/0: a step of weight nothing, which gains nothing
        precision_KR = np.nan_to_num(found_KR / np.cumsum(passed_KR, axis=0))
        return np.asarray(100.0 * (gained_KR * precision_KR).sum(axis=0) / found_KR[-1])
