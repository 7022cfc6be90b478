"""The stages of dvc.yaml, one file each: read params, call the library, write."""

import sys
from collections.abc import Callable
from functools import wraps

from pipeline.errors import PlainError
from pipeline.params import Params, load_params
from pipeline.progress import say

INTERRUPTED = 130  # the shell's exit status for a process that Ctrl-C ended


def stage(work: Callable[[Params], str]) -> Callable[[], None]:
    """Make a stage of `work`: it gets the parameters and returns the line that says what it made."""
    name = work.__module__.removeprefix("stages.")

    @wraps(work)
    def run() -> None:
        label = sys.argv[0].rsplit("/", 1)[-1].removesuffix(".py") if name == "__main__" else name
        try:
            say(f"{label}: {work(load_params())}")
        except PlainError as error:
            say(f"{label}: error: {error}")
            sys.exit(1)
        except KeyboardInterrupt:
            say(f"{label}: stopped; what was finished is kept, and the next run goes on from there")
            sys.exit(INTERRUPTED)

    return run
