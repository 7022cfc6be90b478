"""Check parameters against the number of videos before any stage runs.

The checks are here because they read parameters of several stages, which stage `index` must not declare.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.foundations.params import Params, SplitMini
from pipeline.foundations.params.choices import WORD_KINDS

FEW_STEPS = 200
"""Of training from a seed; the bundled sample takes 312."""


class Training(NamedTuple):
    """Counts of the annotated training videos."""

    videos: int
    folders: Mapping[str, int]
    """How many lie in each first folder."""
    labels: Mapping[int, int]
    """How many have each action."""
    strange: tuple[str, ...]
    """Paths whose first folder is not the name of an action."""


class Foreseen(NamedTuple):
    """A problem that a later stage will have."""

    stops: bool
    """Whether a stage would end with an error."""
    sentence: str
    advice: str


def drawn_at_most(training: Training, split_mini: SplitMini) -> tuple[int, int]:
    """The number of categories of the training videos, and the number of videos sampled if all have sound."""
    if split_mini.draw == "all":
        return 1, training.videos
    pools = training.folders if split_mini.draw == "folder" else training.labels
    return len(pools), min(training.videos, sum(min(count, split_mini.per_action) for count in pools.values()))


def downloads(params: Params) -> dict[str, str]:
    """The addresses that stage `fetch_weights` will download from, by parameter."""
    handle, weights = params.vggish.handle.partition("#")[0], (params.backbone.weights or "").partition("#")[0]
    named = {
        "vggish.handle": handle if params.vggish.source == "hub" else "",
        "words.name": WORD_KINDS[params.words.source].address or "",
        "backbone.weights": weights,
    }
    return {key: address for key, address in named.items() if address.startswith(("http://", "https://"))}


def foresee(training: Training, params: Params) -> Iterator[Foreseen]:
    """Problems of these parameters with these videos."""
    if params.split_mini.draw == "folder" and training.strange:
        yield Foreseen(
            True,
            f"split_mini.draw is folder, but the first folder of {len(training.strange):,} training videos, such as "
            f"{training.strange[0]!r}, names no action",
            "set split_mini.draw to label or all, or stage split_mini will stop",
        )
    _, drawn = drawn_at_most(training, params.split_mini)
    batch, epochs = params.train.batch, params.train.epochs
    if drawn < batch:
        yield Foreseen(
            True,
            f"train.batch is {batch:,}, but there are only {drawn:,} training videos",
            "lower it or add videos, or stage train will stop",
        )
    elif params.train.freeze_backbone and _starts_from_a_seed(params):
        yield Foreseen(
            False,
            "train.freeze_backbone keeps the 3D-CNN as it comes, and without backbone.weights it comes from a seed",
            "name backbone.weights, or set train.freeze_backbone: false",
        )
    elif _starts_from_a_seed(params) and (steps := epochs * (drawn // batch)) < FEW_STEPS:
        yield Foreseen(
            False,
            f"{epochs:,} epochs of {drawn:,} videos in batches of {batch:,} are {steps:,} steps, few for a model that "
            "starts from a seed: it may end at chance",
            "lower train.batch and train.learning_rate, raise train.epochs, or name backbone.weights",
        )


def _starts_from_a_seed(params: Params) -> bool:
    """Whether the backbone is trained from random weights; not with imported features."""
    return params.backbone.weights is None and params.dataset.source != "features"
