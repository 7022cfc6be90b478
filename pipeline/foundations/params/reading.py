"""Read YAML with plain values only, without aliases."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent


def read_yaml(path: Path) -> Any:
    """Read a parameter file.

    Raises:
        OSError: it cannot be read.
        YAMLError, UnicodeDecodeError, ValueError, RecursionError: as `parse_yaml`.
    """
    return parse_yaml(path.read_text(encoding="utf-8-sig"))


def parse_yaml(text: str) -> Any:
    """Parse YAML without aliases.

    Raises:
        YAMLError, ValueError, RecursionError: it is not YAML, or has an alias (`*name`), since a few nested aliases
            can expand to more than memory holds.
    """
    if "&" in text:  # no anchor, no alias
        for event in YAML(typ="safe", pure=True).parse(text):
            if isinstance(event, AliasEvent):
                raise ValueError(f"line {event.start_mark.line + 1:,}: found the alias *{event.anchor}; write it out")
    return YAML(typ="safe", pure=True).load(text)
