"""Hosts that weights will come from: asked once each whether they answer at all."""

from collections.abc import Callable, Mapping
from functools import cache
from threading import Thread
from urllib.parse import urlsplit

SECONDS = 5.0


def unreachable(address: str) -> str:
    """The host of an address where it does not answer from here, or nothing."""
    parts = urlsplit(address)
    return "" if _answers(f"{parts.scheme}://{parts.netloc}/") else parts.netloc


def ask_aside(addresses: Mapping[str, str], tell: Callable[[str, str], None]) -> Thread:
    """Ask for hosts in a thread that holds nobody up, not even the end of the process.

    Args:
        addresses: by the parameters that name them.
        tell: called with the parameter and the host of each that does not answer.
    """

    def ask() -> None:
        for key, address in addresses.items():
            if host := unreachable(address):
                tell(key, host)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    return thread


@cache
def _answers(site: str) -> bool:
    import requests

    try:
        requests.head(site, timeout=SECONDS).close()
    except requests.RequestException:
        return False
    return True
