"""Check whether the hosts of weights can be reached."""

from collections.abc import Callable, Mapping
from functools import cache
from threading import Thread
from urllib.parse import urlsplit

SECONDS = 5.0


def unreachable(address: str) -> str:
    """The host of an address if it cannot be reached, else an empty string."""
    parts = urlsplit(address)
    return "" if _answers(f"{parts.scheme}://{parts.netloc}/") else parts.netloc


def ask_aside(addresses: Mapping[str, str], tell: Callable[[str, str], None]) -> Thread:
    """Check hosts in a daemon thread.

    Args:
        addresses: by the parameters that name them.
        tell: called with the parameter and host of each that cannot be reached.
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
