"""Links from a picture's caption to the lineage of the file it was drawn from, where the page tells that lineage."""

import re

from markupsafe import escape

_ORIGIN = re.compile(r'<a data-origin="([^"]+)">(.*?)</a>', re.DOTALL)
_ANCHOR = re.compile(r'\bid="(trace-[^"]+)"')


def anchor(output: str) -> str:
    """The id of the place on the page that tells an output's lineage."""
    return f"trace-{re.sub('[^0-9A-Za-z]', '-', output)}"


def linked(html: str) -> str:
    """Point every named file to its lineage: its own, or that of the folder which is the stage's output.

    A file whose lineage the page does not tell (dvc.yaml, say) stays plain.

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
