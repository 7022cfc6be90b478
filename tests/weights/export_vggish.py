"""Exports VGGish as TensorFlow Hub has it, in TensorFlow's own words and with weights of a NumPy seed.

Run as a program, since TensorFlow shall not be loaded by the tests: `python export_vggish.py VGGISH WRITER VICTIM`. The
variables are named and laid out as the released checkpoint's; the log-mel front end is tf.signal's. The second model
is hostile: called, it writes to a file.
"""

import sys

import numpy as np
import tensorflow as tf

CONVOLUTIONS = [
    ("conv1", 1, 64), ("conv2", 64, 128), ("conv3/conv3_1", 128, 256), ("conv3/conv3_2", 256, 256),
    ("conv4/conv4_1", 256, 512), ("conv4/conv4_2", 512, 512),
]  # fmt: skip
POOLED = ("conv1", "conv2", "conv3/conv3_2", "conv4/conv4_2")
DENSE = [("fc1/fc1_1", 12288, 4096), ("fc1/fc1_2", 4096, 4096), ("fc2", 4096, 128)]


class Vggish(tf.Module):
    """A waveform [samples] in, embeddings [patches, 128] out."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(20_21)
        self._variables = []
        for name, inputs, outputs in CONVOLUTIONS:
            self._add(random, name, (3, 3, inputs, outputs))
        for name, inputs, outputs in DENSE:
            self._add(random, name, (inputs, outputs))

    def _add(self, random: np.random.Generator, name: str, shape: tuple[int, ...]) -> None:
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        weights = random.standard_normal(shape, np.float32) * np.float32(scale)
        biases = random.standard_normal(shape[-1:], np.float32) * np.float32(0.05)
        self._variables.append(tf.Variable(weights, name=f"vggish/{name}/weights"))
        self._variables.append(tf.Variable(biases, name=f"vggish/{name}/biases"))

    @tf.function(input_signature=(tf.TensorSpec([None], tf.float32),))
    def __call__(self, waveform: tf.Tensor) -> tf.Tensor:
        magnitude = tf.abs(tf.signal.stft(waveform, frame_length=400, frame_step=160, fft_length=512))
        mel = magnitude @ tf.signal.linear_to_mel_weight_matrix(64, 257, 16000.0, 125.0, 7500.0)
        x = tf.signal.frame(tf.math.log(mel + 0.01), frame_length=96, frame_step=96, axis=0)[..., None]
        layers = iter(zip(self._variables[::2], self._variables[1::2], strict=True))
        for name, _, _ in CONVOLUTIONS:
            weights, biases = next(layers)
            x = tf.nn.relu(tf.nn.conv2d(x, weights, strides=1, padding="SAME") + biases)
            if name in POOLED:
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        x = tf.reshape(x, [-1, 12288])
        for name, _, _ in DENSE:
            weights, biases = next(layers)
            x = x @ weights + biases
            x = x if name == "fc2" else tf.nn.relu(x)
        return x


class Writer(tf.Module):
    """Writes to a file when it is called."""

    @tf.function(input_signature=(tf.TensorSpec([None], tf.float32),))
    def __call__(self, waveform: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([tf.io.write_file(sys.argv[3], "written")]):
            return tf.identity(waveform)


if __name__ == "__main__":
    tf.saved_model.save(Vggish(), sys.argv[1])
    tf.saved_model.save(Writer(), sys.argv[2])
