"""All checks, in the order of the stages."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor import machine, needs
from pipeline.doctor.data import examine_data
from pipeline.doctor.feed import feed
from pipeline.doctor.finding import Finding
from pipeline.doctor.shared import shared_memory
from pipeline.doctor.weights import action_names, examine_weights
from pipeline.foundations.params import Params


def examine(root: Path, params: Params) -> Iterator[Finding]:
    """All findings on the project at `root`; writes nothing, and asks hosts of weights whether they answer."""
    yield machine.versions(root)
    yield from machine.extras(root, params)
    seen = yield from examine_data(root, params)
    yield from examine_weights(root, params)
    if seen:
        yield from action_names(root, params, seen.annotations.actions)
        yield needs.disk(seen, params, root)
        yield needs.memory(seen, params)
    yield shared_memory(params, len(seen.annotations.actions) if seen else 0)
    yield machine.decoder(params)
    yield machine.arithmetic(params)
    yield machine.accelerator(params)
    yield from feed(params)
