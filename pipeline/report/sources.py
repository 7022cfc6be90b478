"""Links from a picture's caption to the lineage of its source file."""

import re

from markupsafe import escape

_ORIGIN = re.compile(r'<a data-origin="([^"]+)">(.*?)</a>', re.DOTALL)
_ANCHOR = re.compile(r'\bid="(trace-[^"]+)"')


def anchor(output: str) -> str:
    """The id of an output's lineage on the page."""
    return f"trace-{re.sub('[^0-9A-Za-z]', '-', output)}"


def linked(html: str) -> str:
    """Link every named file to its lineage, or to that of the folder which is the stage's output.

    Files without a lineage on the page (dvc.yaml, say) get no link.

    Args:
        html: a page whose captions name files as `<a data-origin="PATH">...</a>`.
    """
    known = set(_ANCHOR.findall(html))

    def link(found: re.Match[str]) -> str:
        path, words = found.groups()
        parts = path.split("/")
        outputs = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        target = next((anchor(output) for output in outputs if anchor(output) in known), None)
        return f'<a href="#{target}" title="{escape(f"where {path} came from")}">{words}</a>' if target else words

    return _ORIGIN.sub(link, html)
