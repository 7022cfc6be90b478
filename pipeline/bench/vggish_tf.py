"""The reference process for VGGish: TensorFlow Hub's SavedModel, which takes a waveform, called clip by clip.

    python -m pipeline.bench.vggish_tf WEIGHTS SAVED WAVES OUTPUTS

A line on standard input makes it embed every clip, write what came out and answer with the same line.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from safetensors.numpy import load_file

CONVOLUTIONS = ("conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2")
POOLED = ("conv1", "conv2", "conv3_2", "conv4_2")
DENSE = ("fc1_1", "fc1_2", "fc2")


class Vggish(tf.Module):  # type: ignore[misc]
    """A waveform [samples] in, embeddings [patches, 128] out."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.layers = {name: tf.Variable(_as_tensorflow(value)) for name, value in weights.items()}

    @tf.function(input_signature=(tf.TensorSpec([None], tf.float32),))  # type: ignore[untyped-decorator]
    def __call__(self, waveform: tf.Tensor) -> tf.Tensor:
        """Embed a sound."""
        magnitude = tf.abs(tf.signal.stft(waveform, frame_length=400, frame_step=160, fft_length=512))
        mel = magnitude @ tf.signal.linear_to_mel_weight_matrix(64, 257, 16000.0, 125.0, 7500.0)
        x = tf.signal.frame(tf.math.log(mel + 0.01), frame_length=96, frame_step=96, axis=0)[..., None]
        for name in CONVOLUTIONS:
            x = tf.nn.conv2d(x, self.layers[f"{name}.weight"], strides=1, padding="SAME")
            x = tf.nn.relu(x + self.layers[f"{name}.bias"])
            if name in POOLED:
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        x = tf.reshape(x, [-1, 12288])
        for name in DENSE:
            x = x @ self.layers[f"{name}.weight"] + self.layers[f"{name}.bias"]
            x = x if name == "fc2" else tf.nn.relu(x)
        return x


def _as_tensorflow(value: np.ndarray) -> np.ndarray:
    """PyTorch's order of axes, output first, as TensorFlow's, output last."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T


def main(weights: Path, saved: Path, waves: Path, outputs: Path) -> None:
    """Save, load, and embed at each line."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.saved_model.save(Vggish(load_file(weights)), str(saved))
    model = hub.load(str(saved))
    sounds = np.load(waves, allow_pickle=False)
    for line in sys.stdin:
        found = [model(tf.constant(sound)).numpy() for sound in sounds]
        np.save(outputs, np.stack(found))
        print(line.strip(), flush=True)  # noqa: T201  the answer


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
