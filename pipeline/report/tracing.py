"""The identity of a run, by which report and lineage page tell whether they are of the same run."""

import json
from hashlib import sha256

import pyarrow as pa

LENGTH = 12
"""Digits that are shown."""


def identity(metrics: pa.Table) -> str:
    """A name for the run that measured `metrics`, a table of schema `metrics`: the beginning of its rows' SHA-256."""
    return sha256(json.dumps(metrics.to_pylist(), sort_keys=True).encode()).hexdigest()[:LENGTH]
