"""YAML as parameter files are read: plain values, each written out."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent


def read_yaml(path: Path) -> Any:
    """What a file of parameters says.

    Raises:
        OSError: it cannot be read.
        YAMLError, UnicodeDecodeError, ValueError, RecursionError: as `parse_yaml`.
    """
    return parse_yaml(path.read_text(encoding="utf-8-sig"))


def parse_yaml(text: str) -> Any:
    """What a text says, in which every value is written out.

    Raises:
        YAMLError, ValueError, RecursionError: it is not YAML, or one value stands for another (`*name`): of a few such
            lines, each twice the one before, nobody could wait for the end.
    """
    if "&" in text:  # without an anchor there is no alias
        for event in YAML(typ="safe", pure=True).parse(text):
            if isinstance(event, AliasEvent):
                raise ValueError(f"line {event.start_mark.line + 1:,}: found the alias *{event.anchor}; write it out")
    return YAML(typ="safe", pure=True).load(text)
