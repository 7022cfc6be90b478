"""The model: what was trained, and from what."""

from collections.abc import Mapping
from typing import Any


def untrained(weights: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether VGGish was drawn from a seed."""
    return not weights["vggish"]["trained"]


def settings(model: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The settings of the trained model: section, key and value."""
    rows = []
    for section, content in model.items():
        if section == "actions":
            rows.append(("actions", "number", f"{len(content):,}"))
        elif isinstance(content, Mapping):
            rows += [(section, key, _plain(value)) for key, value in content.items()]
        else:
            rows.append(("model", section, _plain(content)))
    return rows


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
