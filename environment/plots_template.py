"""Write .dvc/plots.html, which `dvc plots` fills in: with the drawing library within, so that it needs no network.

DVC's own page loads Vega from a CDN, and is blank without one. Ours holds the very versions that DVC names, from their
packages on npm, whose digests are pinned here. After a new release of dvc-render: the versions that
`dvc_render/vega.py` names, and the digests that `npm view vega@VERSION dist.integrity` shows.

    python environment/plots_template.py
"""

import base64
import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / ".dvc/plots.html"
REGISTRY = "https://registry.npmjs.org"
PACKAGES = {
    ("vega", "5.20.2"): "qmH7aD9GGPpssVdxL1xgcdxTbQzyRUeRR16Os385ymvQhiwCYQNA6+eXUPAZDTVLfk0RXu6Jzj6kUE5jQ80EVw==",
    ("vega-lite", "5.2.0"): "Yxcg8MvYfxHcG6BbkaKT0oVCIMIcE19UvqIsEwBmyd/7h2nzW7oRnID81T8UrY7hpDrIr6wa2JADOT2dhGNErw==",
    (
        "vega-embed",
        "6.18.2",
    ): "wcDyQPE4J5aiCDc3/suH5RQDvrKkjuLkhzUcbOLwEkNF8/+pp17tS0JghzEvAPNRg+5aG1/N2ydixq8Lk3dOlg==",
}
"""Name and version: SHA-512 of the tarball, as npm tells it."""
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; base-uri 'none'; form-action 'none'"
)
"""Vega compiles its expressions; nothing is fetched."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
{{refresh_tag}}
<title>DVC plots</title>
<style>
body {{ margin: 24px; font: 15px/1.5 system-ui, sans-serif; background: #fff; color: #1a1d23; }}
table {{ border-collapse: collapse; }} th, td {{ padding: 4px 12px; text-align: left; }}
</style>
{scripts}
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    """Fetch the packages, and put their scripts into the page."""
    scripts = [_script(name, version, digest) for (name, version), digest in PACKAGES.items()]
    TARGET.write_text(PAGE.format(policy=POLICY, scripts="\n".join(scripts)), encoding="utf-8")
    sys.stderr.write(f"{TARGET}: {TARGET.stat().st_size / 1e6:.1f} MB\n")


def _script(name: str, version: str, digest: str) -> str:
    with urllib.request.urlopen(f"{REGISTRY}/{name}/-/{name}-{version}.tgz") as answer:  # noqa: S310  https, as above
        content = answer.read()
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != digest:
        sys.exit(f"{name} {version}: its SHA-512 is {found}, expected {digest or 'one in PACKAGES'}")
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        texts = {
            path: package.extractfile(f"package/{path}").read().decode() for path in (f"build/{name}.min.js", "LICENSE")
        }  # type: ignore[union-attr]
    code = texts[f"build/{name}.min.js"].replace("</script", "<\\/script").split("//# sourceMappingURL")[0].strip()
    return f"<script>\n/* {name} {version}, from npm\n\n{texts['LICENSE'].strip()}\n*/\n{code}\n</script>"


if __name__ == "__main__":
    main()
