"""Fill templates: values escaped, styles and scripts inlined."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

SCRIPTS = ("sort.js", "pan.js", "csv.js", "strip.js", "player.js")
"""Scripts of every page with tables."""


def filled(template: str, context: Mapping[str, Any], *, scripts: Sequence[str] = SCRIPTS) -> str:
    """Fill a template; it gets the style sheet as `css`, the scripts as `js` and their `script_hash`."""
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    inline = Markup("\n").join(map(_inline, scripts))
    digest = b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    ours = {"css": _inline("page.css"), "js": inline, "script_hash": Markup(f"sha256-{digest}")}  # noqa: S704
    return environment.get_template(template).render({**ours, **context})


def _inline(name: str) -> Markup:
    """A style sheet or script of ours, as it is."""
    text = (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704
