"""VGGish from TensorFlow Hub, converted for our network, and refused unless both give the same embeddings.

handle -> SavedModel -> its variables -> ours, by name -> our network -> embeddings of a recording -> equal? -> file
                     -> its embeddings of the recording -----------------------------------------------^
"""

import wave
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from pipeline.audio.logmel import RATE, log_mel_patches
from pipeline.audio.vggish import Vggish
from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights.hub import resolve
from pipeline.weights.saved_model import run_saved_model

TOLERANCE = 1e-4
VARIABLES = {
    "conv1": "vggish/conv1",
    "conv2": "vggish/conv2",
    "conv3_1": "vggish/conv3/conv3_1",
    "conv3_2": "vggish/conv3/conv3_2",
    "conv4_1": "vggish/conv4/conv4_1",
    "conv4_2": "vggish/conv4/conv4_2",
    "fc1_1": "vggish/fc1/fc1_1",
    "fc1_2": "vggish/fc1/fc1_2",
    "fc2": "vggish/fc2",
}
"""Our layers, and the released model's names for them."""


def convert(handle: str, target: Path, *, recording: Path) -> float:
    """Convert the SavedModel of a TF-Hub handle to a safetensors file of our network.

    Args:
        handle: an address of TensorFlow Hub, which may end in `#sha256=...` of its archive, or a local folder.
        target: the file to write.
        recording: sound to compare the two networks on, WAV, 16 kHz, mono, 16 bit.

    Returns:
        The largest difference between the two networks' embeddings of the recording.

    Raises:
        PlainError: the model cannot be had or loaded, is not VGGish, or its embeddings differ by more than 1e-4.
    """
    samples = read_recording(recording)
    saved = run_saved_model(resolve(handle), samples)
    weights = rename(saved.variables, handle)
    difference = _difference(weights, samples, saved.outputs)
    if not difference <= TOLERANCE:
        raise PlainError(
            f"{handle}: the converted network differs from the SavedModel by {difference:.2g} on {recording}, expected "
            f"{TOLERANCE:g} at most; this is another network than VGGish's"
        )
    target.write_bytes(save(weights))  # not save_file, whose full disk is no OSError
    return difference


def read_recording(path: Path) -> np.ndarray:
    """A WAV file's samples in [-1, 1], float32.

    Raises:
        PlainError: it is no such file, or not 16 kHz, mono, 16 bit.
    """
    try:
        with wave.open(str(path)) as file:
            found = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise PlainError(f"{path}: cannot be read as WAV: {error}") from error
    if found != (RATE, 1, 2):
        raise PlainError(f"{path}: Hz, channels and bytes a sample are {found}, but {(RATE, 1, 2)} is needed")
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768


def rename(variables: dict[str, np.ndarray], handle: str) -> dict[str, np.ndarray]:
    """The released model's variables under our names, in our order of axes.

    TensorFlow's kernels are height x width x in x out, ours out x in x height x width; its matrices in x out, ours
    out x in. Both flatten the last feature map in height, width, channel order.

    Raises:
        PlainError: a variable is missing, there is another one, or its shape is not VGGish's.
    """
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in Vggish().state_dict().items()}
    names = {name: _variable_of(name) for name in shapes}
    if set(names.values()) != set(variables):
        missing = sorted(set(names.values()) - set(variables))
        others = sorted(set(variables) - set(names.values()))
        raise PlainError(f"{handle}: not VGGish: its variables lack {missing or 'none'} and add {others or 'none'}")
    weights = {}
    for name, shape in shapes.items():
        value = variables[names[name]]
        axes = (3, 2, 0, 1) if value.ndim == 4 else (1, 0) if value.ndim == 2 else None
        weights[name] = np.ascontiguousarray(value.transpose(axes), np.float32)
        if weights[name].shape != shape:
            raise PlainError(f"{handle}: {names[name]}: found shape {value.shape}, not that of VGGish's {name} {shape}")
    return weights


def _variable_of(name: str) -> str:
    """`conv3_1.weight` is `vggish/conv3/conv3_1/weights`."""
    layer, kind = name.split(".")
    return f"{VARIABLES[layer]}/{'weights' if kind == 'weight' else 'biases'}"


def _difference(weights: dict[str, np.ndarray], samples: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference between our embeddings of a sound and the SavedModel's, patches x 128."""
    with torch.device("meta"):
        network = Vggish()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, assign=True)
    with torch.inference_mode():
        found = network(torch.from_numpy(log_mel_patches(samples)).float()).numpy()
    return float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
