"""The stages of dvc.yaml, one file each: read params, call the library, write."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from pathlib import Path

from pipeline.foundations.runtime.interrupts import INTERRUPTED, stop_early
from pipeline.foundations.runtime.openmp import set_openmp_wait_policy

if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # loading, for DVC
    signal.signal(signal.SIGINT, stop_early)

from pipeline.foundations.params import Params, load_params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.numerics import use_numerics
from pipeline.foundations.runtime.progress import say

set_openmp_wait_policy()
if sys.argv[0] == "-m":  # a stage of its own; what follows loads NumPy
    try:
        if sentence := use_numerics(load_params().numerics):
            say(sentence)
    except PlainError as error:
        say(f"error: {error}")
        sys.exit(1)

from pipeline.foundations.runtime.files import (  # noqa: E402
    is_disk_or_permission_error,
    keep_work_until_success,
)
from pipeline.foundations.runtime.processes import stage_lock  # noqa: E402
from pipeline.foundations.runtime.record import recorded  # noqa: E402

LOCKS = Path(".cache")
"""Of this copy of the project: experiments run at once, each in a copy with outputs of its own."""
REPORT = "report"
"""The stage after which the lineage page is renewed."""


def stage(work: Callable[[Params], str]) -> Callable[[], None]:
    """Make `work` a stage: it gets the parameters and returns a summary line."""
    name = Path(work.__code__.co_filename).stem  # `python -m stages.NAME` calls the module __main__

    @wraps(work)
    def run() -> None:
        try:
            if signal.getsignal(signal.SIGINT) is stop_early:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            params = load_params()
            with _held(name, whole_process=work.__module__ == "__main__"), recorded(name, params):
                with keep_work_until_success():
                    made = work(params)
                say(f"{name}: {made}")
            if name == REPORT and Path("dvc.lock").exists():
                _renew_trace()
        except PlainError as error:
            say(f"{name}: error: {error}")
            sys.exit(1)
        except OSError as error:
            if not is_disk_or_permission_error(error):
                raise
            say(f"{name}: error: {error.filename or 'a file'}: {error.strerror}; make room, or allow it, and run again")
            sys.exit(1)
        except KeyboardInterrupt:
            say(f"{name}: stopped; what was finished is kept, and the next run goes on from there")
            sys.exit(INTERRUPTED)
        finally:
            if work.__module__ == "__main__":  # finished: Ctrl-C would only interrupt libraries' cleanup
                signal.signal(signal.SIGINT, signal.SIG_IGN)

    return run


def _renew_trace() -> None:
    """Renew the lineage page beside the report; in a separate process, since it is not part of the stage."""
    own = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    subprocess.run([sys.executable, "-m", "pipeline.lineage.page"], check=False, env=own)


def _held(name: str, *, whole_process: bool) -> AbstractContextManager[None]:
    """Lock the stage in this copy; with torchrun, the first process holds the lock for all."""
    leads = os.environ.get("RANK", "0") == "0"
    return stage_lock(name, LOCKS, whole_process=whole_process) if leads else nullcontext()
