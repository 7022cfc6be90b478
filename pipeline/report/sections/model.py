"""The model: what was trained, and from what."""

from collections.abc import Mapping
from typing import Any


def untrained(weights: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether VGGish was drawn from a seed."""
    return not weights["vggish"]["trained"]


def listening(description: Mapping[str, Any]) -> str:
    """The head that rests on audio forms, or nothing."""
    return next((head for head in description["model"]["heads"] if head.startswith("audio")), "")


def settings(description: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The settings of the trained model: key and value, by section."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for name, content in description.items():
        if name == "actions":
            sections[name] = [("number", f"{len(content):,}")]
        elif isinstance(content, Mapping):
            sections[name] = [(key, _plain(value)) for key, value in content.items()]
    loose = [(name, _plain(content)) for name, content in description.items() if name not in sections]
    return sections | {"other": loose}


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
