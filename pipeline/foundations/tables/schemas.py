"""The columns of every table as Arrow schemas, from tables.yaml.

They stand beside dvc.yaml, outside the folders of code that stages declare: each stage names the tables that it writes
among its params there, and depends on the files that it reads, whose bytes hold the columns and their descriptions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML

FILE = Path(__file__).parents[3] / "tables.yaml"
PATCHES, PATCH_SIZE = 3, 128
ROW_GROUP = 8192
"""Rows that are written, and read, at once; a table of wide rows says in tables.yaml that it has fewer."""
FORM_SIZE = PATCHES * PATCH_SIZE
"""P: an audio form is three whitened VGGish patches of 128 (Section 4.1). Imported embeddings may have any width: a
column of forms in a file is as wide as its data (`tables.as_found`)."""
_LIST = re.compile(r"list<(\w+)>")


@dataclass(frozen=True)
class Schema:
    """A table's columns and the columns that identify and sort its rows."""

    columns: pa.Schema
    key: tuple[str, ...]
    row_group: int = ROW_GROUP

    def __repr__(self) -> str:
        """Everything, since shards of earlier runs are identified by it."""
        return f"{self.key}: {self.columns.to_string(truncate_metadata=False)}"


def _read() -> dict[str, Schema]:
    tables: dict[str, Any] = YAML(typ="safe").load(FILE)
    return {name: _schema(table) for name, table in tables.items()}


def _schema(table: Mapping[str, Any]) -> Schema:
    return Schema(_columns(table["columns"]), tuple(table["key"]), table.get("row_group", ROW_GROUP))


def _columns(columns: Mapping[str, str]) -> pa.Schema:
    return pa.schema([_column(name, *text.split(", ", maxsplit=1)) for name, text in columns.items()])


def _column(name: str, kind: str, about: str) -> pa.Field:
    bare = kind.removesuffix(" or null")
    return pa.field(name, _type(bare), nullable=bare != kind, metadata={"about": about})


def _type(kind: str) -> pa.DataType:
    if kind == "form":
        return pa.list_(_item("float32"), FORM_SIZE)
    found = _LIST.fullmatch(kind)
    return pa.list_(_item(found[1])) if found else pa.type_for_alias(kind)


def _item(kind: str) -> pa.Field:
    return pa.field("item", pa.type_for_alias(kind), nullable=False)


SCHEMAS: Mapping[str, Schema] = _read()
