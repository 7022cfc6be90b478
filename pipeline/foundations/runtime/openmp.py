"""How a thread that shares an operator waits for the others: for a moment by spinning, then asleep."""

import os

SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "10000",  # turns, in GNU's OpenMP, which PyTorch's wheels for Linux bring
}
"""Who spins for long keeps the core from others, who sleeps at once wakes late. A training step of the sample, median
of 25 in ms on two cores, alone and beside four processes that never rest: 167 and 681 so; 219 and 473 where threads
sleep at once; 151 and 1,251 by the library's default, 30 times as long a spin."""


def set_openmp_wait_policy() -> None:
    """Settle it for this process and what it starts, where the user has not; before torch is loaded, which reads it."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
