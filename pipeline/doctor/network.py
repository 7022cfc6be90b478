"""Hosts that weights will come from: asked once each whether they answer at all."""

from functools import cache
from urllib.parse import urlsplit

import requests

SECONDS = 5.0


def unreachable(address: str) -> str:
    """The host of an address where it does not answer from here, or nothing."""
    parts = urlsplit(address)
    return "" if _answers(f"{parts.scheme}://{parts.netloc}/") else parts.netloc


@cache
def _answers(site: str) -> bool:
    try:
        requests.head(site, timeout=SECONDS).close()
    except requests.RequestException:
        return False
    return True
