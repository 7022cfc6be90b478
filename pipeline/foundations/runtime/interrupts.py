"""Handle Ctrl-C while a stage loads its libraries."""

import os
import sys

INTERRUPTED = 130
"""Exit status of a process that Ctrl-C ended."""


def stop_early(*_: object) -> None:
    """Make Ctrl-C end this process while it loads its libraries, since some turn an interrupt into another error."""
    os.write(sys.stderr.fileno(), b"stopped before it began\n")
    os._exit(INTERRUPTED)
