"""Check a `.pt2` from elsewhere before PyTorch opens it (DESIGN.md, invariant 7).

`torch.export.load` trusts its file: it unpickles what the archive calls pickled, runs its guards as Python and
evaluates its sizes as expressions. The models that `pipeline.exchange.export` writes need none of that: plain tensors,
ATen's operations, sums and products of one symbol. Archives with anything else are refused.
"""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251  the name of an error
from typing import Any

import torch

from pipeline.foundations.runtime.errors import PlainError

GRAPH = "models/model.json"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
EXAMPLE = "data/sample_inputs/model.pt"
DESCRIPTION = "extra/description.json"
_FORMAT = {"archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id"}
_WEIGHT = re.compile(r"data/weights/weight_\d+")
_OPERATION = re.compile(r"torch\.ops\.aten\.\w+\.\w+|_operator\.(?:add|floordiv|getitem|mul|sub)")
_SYMBOL = r"Symbol\('s\d+', positive=True, integer=True\)"
_SIZE = re.compile(rf"(?:{_SYMBOL}|(?:Add|FloorDiv|Integer|Max|Min|Mul)\(|-?\d+|[,() ])+|s\d+")
_NO_ARGUMENTS = ("as_string", "as_strings", "as_operator", "as_custom_obj", "as_graph")
LARGEST_JSON = 64 * 2**20


def screen(path: Path) -> None:
    """Check that an archive holds plain tensors and a graph of ATen operations only.

    Raises:
        PlainError: it holds anything else, which the message names.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _screen(archive)
    except _Refused as error:
        raise PlainError(f"{path}: {error}, which no model of `m3a export` does; not opened") from error
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PlainError(f"{path}: cannot be read as a model of torch.export: {error}") from error


class _Refused(Exception):  # noqa: N818
    """What is wrong with the archive, as the rest of a sentence."""


def _screen(archive: zipfile.ZipFile) -> None:
    members = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise _Refused("holds a name twice")
    for name in members:
        if name not in {GRAPH, *CONFIGS, EXAMPLE, DESCRIPTION, *_FORMAT} and not _WEIGHT.fullmatch(name):
            raise _Refused(f"holds {name}")
    weights, constants = (_json(archive, members[name]) for name in CONFIGS)
    if any(entry["use_pickle"] for entry in weights["config"].values()) or constants["config"]:
        raise _Refused("holds pickled tensors or constants")
    try:
        torch.load(io.BytesIO(archive.read(members[EXAMPLE])), weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise _Refused("has an example that is more than tensors") from error
    _screen_graph(_json(archive, members[GRAPH]))


def _json(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    if entry.file_size > LARGEST_JSON:
        raise _Refused(f"has a {entry.filename} of {entry.file_size:,} bytes")
    return json.loads(archive.read(entry))


def _screen_graph(program: dict[str, Any]) -> None:
    if program["guards_code"]:
        raise _Refused("brings code of its own")
    for node in program["graph_module"]["graph"]["nodes"]:
        if not _OPERATION.fullmatch(node["target"]):
            raise _Refused(f"calls {node['target']}")
    for key, value in _pairs(program):
        if key in _NO_ARGUMENTS:
            raise _Refused(f"passes {key.removeprefix('as_')} {value!r} to an operation")
        if key == "expr_str" and not _SIZE.fullmatch(value):
            raise _Refused(f"has the size {value!r}")
        if isinstance(value, str) and "default_factory" in value:
            raise _Refused("names a module to import")


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of nested JSON, with what it holds."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)
