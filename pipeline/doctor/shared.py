"""What the processes of a stage share: locks, which need /dev/shm, and training's batches, which do not."""

import shutil

from pipeline.audio.embedders import form_size
from pipeline.doctor.finding import Finding, size
from pipeline.foundations.params import Params
from pipeline.foundations.runtime.loader import at_once, batch_bytes
from pipeline.foundations.runtime.processes import why_no_locks

MOUNT = "/dev/shm"  # noqa: S108  where the C library keeps locks
ADVICE = "mount a tmpfs at /dev/shm (Docker does, unless told otherwise): stages then use several processes"


def batches(params: Params, actions: int) -> tuple[int, int]:
    """How many batches training's loader has under way at most, and the bytes of each."""
    sound = form_size(params.vggish.source) if params.model.late_fusion else 0
    return at_once(params.execution.workers), batch_bytes(params.train, params.frames, actions=actions, sound=sound)


def shared_memory(params: Params, actions: int) -> Finding:
    """What the loader takes of the memory, that it takes none of /dev/shm, and whether locks can be had there."""
    count, each = batches(params, actions)
    line = f"up to {count} batches of {size(each)} on their way to training: {size(count * each)} of memory"
    if reason := why_no_locks():
        line = f"{reason}\neach stage works in one process: the same bytes, but slower"
        return Finding("yellow", "shared memory", line, ADVICE)
    there = size(shutil.disk_usage(MOUNT).total)
    return Finding("green", "shared memory", f"{line}, none of it in {MOUNT} ({there}), where only locks are")
