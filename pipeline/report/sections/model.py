"""The model: what was trained, and from what."""

from collections.abc import Mapping
from typing import Any


def untrained(weights: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether VGGish was drawn from a seed."""
    return not weights["vggish"]["trained"]


def vggish_parts(description: Mapping[str, Any]) -> list[str]:
    """The parts of the model that use VGGish: heads on audio forms, and late fusion."""
    model = description["design"]["model"]
    heads = [f"{head} head" for head in model["heads"] if head.startswith("audio")]
    return [*(heads if model["control"] != "free_matrix" else []), *(["late fusion"] if model["late_fusion"] else [])]


def learners(description: Mapping[str, Any]) -> str:
    """The heads on the 3D-CNN's features, in a few words."""
    model = description["design"]["model"]
    parts = [*model["heads"], *(["late fusion"] if model["late_fusion"] else [])]
    return " + ".join(parts) + (f" (control: {model['control']})" if model["control"] != "none" else "")


def settings(description: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The settings of the trained model: key and value, by section."""
    sections: dict[str, list[tuple[str, str]]] = {}
    flat = {name: content for name, content in description.items() if name != "design"} | description["design"]
    for name, content in flat.items():
        if name == "actions":
            sections[name] = [("number", f"{len(content):,}")]
        elif isinstance(content, Mapping):
            sections[name] = [(key, _plain(value)) for key, value in content.items()]
    loose = [(name, _plain(content)) for name, content in flat.items() if name not in sections]
    return sections | {"other": loose}


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
