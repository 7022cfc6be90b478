"""A SavedModel's variables and outputs, without TensorFlow in our process.

TensorFlow runs in a child process. A SavedModel is a program, so the child may write no file.
Numbers go through pipes: samples in, safetensors out.
"""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 600.0
LONGEST_REASON = 300
OUTPUTS = "\n"  # no variable's name
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}


class Module(NamedTuple):
    """What tensorflow_hub.load takes: a handle, and the cache that already has it; or a folder alone."""

    handle: str
    cache: Path | None


class Saved(NamedTuple):
    """A SavedModel's variables, and its output for a waveform."""

    variables: dict[str, np.ndarray]
    outputs: np.ndarray


def run_saved_model(module: Module, samples: np.ndarray) -> Saved:
    """Load a SavedModel through tensorflow_hub, read its variables and call it on a waveform.

    Args:
        module: where it is.
        samples: S, float32.

    Raises:
        PlainError: TensorFlow is not installed, or the SavedModel cannot be loaded or called.
    """
    require("hub", "vggish.source: hub")
    cache = {"TFHUB_CACHE_DIR": str(module.cache.resolve())} if module.cache else {}
    try:
        child = subprocess.run(
            [sys.executable, "-m", "pipeline.weights.saved_model", module.handle],
            cwd=PROJECT, env=os.environ | QUIET | cache, input=samples.astype(np.float32).tobytes(),
            capture_output=True, timeout=SECONDS, check=True,
        )  # fmt: skip
        tensors = load(child.stdout)
    except subprocess.CalledProcessError as error:
        why = _reason(error.stderr.decode(errors="replace")) or f"exit status {error.returncode}"
        raise PlainError(f"{module.handle}: cannot be loaded through TensorFlow Hub: {why}") from error
    except (subprocess.TimeoutExpired, SafetensorError) as error:
        raise PlainError(f"{module.handle}: cannot be loaded through TensorFlow Hub: {error}") from error
    outputs = tensors.pop(OUTPUTS)
    return Saved(tensors, outputs)


def _reason(log: str) -> str:
    """The last exception of a traceback on one line: its name and message."""
    ends = list(re.finditer(r"^[A-Za-z_][\w.]*: ", log, re.MULTILINE))
    return " ".join(log[ends[-1].start() :].split())[:LONGEST_REASON] if ends else ""


def _child(handle: str) -> None:
    """Read samples from standard input, write tensors to standard output; TensorFlow's messages go to the log."""
    samples = np.frombuffer(sys.stdin.buffer.read(), np.float32)
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import tensorflow as tf
    import tensorflow_hub as hub

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    model = hub.load(handle)
    nodes = tf.train.TrackableView(model).descendants()
    tensors = {node.name.removesuffix(":0"): node.numpy() for node in nodes if isinstance(node, tf.Variable)}
    tensors[OUTPUTS] = np.asarray(model(tf.constant(samples)))
    with answer:
        answer.write(save({name: np.ascontiguousarray(value) for name, value in tensors.items()}))


if __name__ == "__main__":
    _child(sys.argv[1])
