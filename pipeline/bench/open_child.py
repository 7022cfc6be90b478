"""The decoding process without its sandbox, as the peer that the sandbox is measured beside."""

import sys

from pipeline.foundations.media import child, sandbox

LEFT_OUT = "left out, for a benchmark"


def _stay_open(*, megabytes: int) -> sandbox.SandboxStatus:
    """In the place of `sandbox.lock`."""
    return sandbox.SandboxStatus(*[LEFT_OUT] * len(sandbox.SandboxStatus._fields))


if __name__ == "__main__":
    sandbox.lock = _stay_open
    modules = [name for name in sys.argv[5].split(",") if name]
    child.main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), modules)
