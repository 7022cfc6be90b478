"""The stages of dvc.yaml, one file each: read params, call the library, write."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

# Read when torch is loaded, so set before: a thread that waits by spinning takes the core from whoever works on it
# (on a shared machine, training with two threads took ten times as long).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from pipeline.errors import PlainError
from pipeline.lineage.record import recorded
from pipeline.params import Params, load_params
from pipeline.progress import say

INTERRUPTED = 130  # the shell's exit status for a process that Ctrl-C ended


def stage(work: Callable[[Params], str]) -> Callable[[], None]:
    """Make a stage of `work`: it gets the parameters and returns the line that says what it made."""
    name = Path(work.__code__.co_filename).stem  # `python -m stages.NAME` calls the module __main__

    @wraps(work)
    def run() -> None:
        try:
            params = load_params()
            with recorded(name, params):
                made = work(params)
            say(f"{name}: {made}")
        except PlainError as error:
            say(f"{name}: error: {error}")
            sys.exit(1)
        except KeyboardInterrupt:
            say(f"{name}: stopped; what was finished is kept, and the next run goes on from there")
            sys.exit(INTERRUPTED)

    return run
