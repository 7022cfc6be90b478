"""Whole parameters of a preset, as `m3a preset` writes them."""

from pathlib import Path

from pipeline.foundations.params import Params, parse_params, presets
from pipeline.foundations.params.editing import Value, edited

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / presets.FOLDER
NAMES = [name for name in presets.names(FOLDER) if name != presets.SAMPLE]


def preset_text(name: str, changes: dict[str, Value] | None = None) -> str:
    """The committed params.yaml after a preset, and other changes."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = presets.applied(text, presets.changes(text, presets.read(name, FOLDER)))
    return edited(text, changes or {})


def preset_params(name: str) -> Params:
    """Likewise, checked."""
    return parse_params(preset_text(name), Path("params.yaml"))
