"""The policy that every page carries: it shows what it holds, runs our script, and fetches nothing."""

import hashlib
import re
from base64 import b64encode
from pathlib import Path

import pytest

from pipeline.report import templating
from pipeline.report.templating import filled

TEMPLATES = Path(templating.__file__).parent / "templates"
PAGES = sorted(path.name for path in TEMPLATES.glob("*.jinja") if "<!doctype" in path.read_text(encoding="utf-8"))


def test_every_page_begins_with_the_shared_head():
    assert len(PAGES) == 6
    for name in PAGES:
        text = (TEMPLATES / name).read_text(encoding="utf-8")
        assert '<head>\n{% include "head.html.jinja" %}' in text
        assert "<style>" not in text


@pytest.mark.parametrize("name", ["sort.js", "csv.js", "trace.js"])
def test_the_policy_names_the_pages_script_and_nothing_else(name):
    root = {"label": "a <b>", "detail": "", "children": []}
    html = filled("trace.html.jinja", {"root": root, "chain": [], "of": ""}, scripts=(name,))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    script = (TEMPLATES / name).read_bytes()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{b64encode(hashlib.sha256(script).digest()).decode()}'"
    assert rules["img-src"] == "data:"
    assert html.index("Content-Security-Policy") < html.index("<title>")


@pytest.mark.parametrize("name", PAGES)
def test_a_script_stands_on_the_page_as_it_was_hashed(name):
    assert "<script>{{ js }}</script>" in (TEMPLATES / name).read_text(encoding="utf-8")
