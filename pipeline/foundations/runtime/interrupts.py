"""Handle Ctrl-C while a stage still loads its libraries."""

import os
import sys

INTERRUPTED = 130
"""The shell's exit status for a process that Ctrl-C ended."""


def stop_early(*_: object) -> None:
    """End this process while it still loads its libraries: some make an error of their own of an interrupt."""
    os.write(sys.stderr.fileno(), b"stopped before it began\n")
    os._exit(INTERRUPTED)
