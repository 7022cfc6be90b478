"""The arithmetic of the stages, operation by operation, as hashes that two CPUs can compare.

`python -m tests.foundations.runtime.numerics.operations` prints one line an operation, as JSON; `--only NAME` runs some
of them. Inputs are exact (24-bit integers times a power of two), so that only the operation itself can differ. On
another kind of CPU, or under an emulator, run it again with the same settings and compare.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if __name__ == "__main__":
    from pipeline.foundations.runtime.numerics import use_numerics

    use_numerics("native" if "--native" in sys.argv else "portable")

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import IncrementalPCA
from threadpoolctl import threadpool_limits
from torch import nn

from pipeline.audio.logmel import log_mel_patches
from pipeline.audio.vggish import Vggish, seeded_weights
from pipeline.explain.embedding import plane
from pipeline.foundations.tables.seeds import generator
from pipeline.metrics.metrics import map_action, map_sample
from pipeline.model.backbones.resnet3d import ARCHITECTURES, ResNet3d
from pipeline.model.gcn import Gcn
from pipeline.model.heads import VisualHead
from pipeline.train.stack import StackedAdam

Hashed = np.ndarray | torch.Tensor
SPEECH = Path("data/external/speech_16khz.wav")


def exact(name: str, *shape: int) -> np.ndarray:
    """Float32 in [-1, 1), the same everywhere."""
    words = generator(0, "operations", name).integers(-(2**23), 2**23, size=shape)
    return words.astype(np.float32) * np.float32(2.0**-23)


def tensor(name: str, *shape: int) -> torch.Tensor:
    """`exact`, for torch."""
    return torch.from_numpy(exact(name, *shape))


def filled(network: nn.Module) -> nn.Module:
    """A network with exact weights of a usual size."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            scale = 2.0 ** np.floor(np.log2((6.0 / fan_in) ** 0.5)) if parameter.ndim > 1 else 0.5
            values = tensor(name, *parameter.shape) * scale
            parameter.copy_(values + 1.0 if parameter.ndim == 1 and name.endswith("weight") else values)
    return network


def conv3d() -> Iterator[Hashed]:
    """The sample's R3D on a batch, forward."""
    network = filled(ResNet3d(ARCHITECTURES["r3d_tiny"])).eval()
    with torch.no_grad():
        yield network(tensor("clips", 4, 3, 8, 64, 64))


def conv2plus1d() -> Iterator[Hashed]:
    """R(2+1)D, forward, with the 45 channels of the published stem."""
    with torch.no_grad():
        stem = filled(nn.Sequential(nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3)), nn.Conv3d(45, 64, (3, 1, 1))))
        yield stem(tensor("stem", 2, 3, 8, 112, 112))
        block = filled(nn.Sequential(nn.Conv3d(64, 144, (1, 3, 3), padding=(0, 1, 1)), nn.Conv3d(144, 64, (3, 1, 1))))
        yield block(tensor("block", 1, 64, 8, 56, 56))


def training() -> Iterator[Hashed]:
    """Three steps of SGD with momentum, batch norm and the visual GCN: every weight, and the losses."""
    yield from _trained(steps=3, clips=(8, 3, 8, 64, 64))


def small_training() -> Iterator[Hashed]:
    """Two steps on small clips, which an emulated CPU ends in minutes."""
    yield from _trained(steps=2, clips=(4, 3, 4, 32, 32))


def _trained(*, steps: int, clips: tuple[int, ...]) -> Iterator[Hashed]:
    torch.use_deterministic_algorithms(mode=True)
    network, gcn = (
        filled(ResNet3d(ARCHITECTURES["r3d_tiny"])).train(),
        filled(Gcn([128, 96, 24], slope=0.2, bias=True, last_activation=False)),
    )
    adjacency = torch.eye(24) * 0.5 + (tensor("edges", 24, 24) > 0.4).float() * 0.0625
    head = VisualHead(gcn)
    parameters = [*network.parameters(), *gcn.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.03, momentum=0.9, nesterov=True, weight_decay=1e-4)
    for step in range(steps):
        features = network(tensor(f"batch {step}", *clips)).mean((2, 3, 4))
        logits = head(features, adjacency)
        loss = F.binary_cross_entropy_with_logits(logits, (tensor(f"labels {step}", clips[0], 24) > 0.8).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.detach()
    yield from (parameter.detach() for parameter in parameters)
    yield from network.buffers()


def adam() -> Iterator[Hashed]:
    """Three steps of the fused Adam of heads on frozen features, on more numbers than a thread takes at once."""
    weights = nn.ParameterList([tensor("adam", 2, 300, 257), tensor("bias", 2, 257)])
    optimizer = StackedAdam(weights, (1e-4, 0.0))
    optimizer.set_rates((0.03, 0.001))
    for step in range(3):
        for number, weight in enumerate(weights):
            weight.grad = tensor(f"slope {step} {number}", *weight.shape) - 0.5
        optimizer.step()
    yield from (weight.detach() for weight in weights)


def linear() -> Iterator[Hashed]:
    """Matrix products of torch: small, odd, tall and larger than a cache."""
    for rows, inner, columns in ((12, 100, 24), (24, 384, 1024), (63, 129, 257), (313, 1024, 512), (1500, 1024, 300)):
        yield tensor("a", rows, inner) @ tensor("b", inner, columns)
        yield F.linear(tensor("a", rows, inner), tensor("b", columns, inner), tensor("c", columns))
    yield torch.bmm(tensor("d", 16, 24, 64), tensor("e", 16, 64, 24))
    yield tensor("f", 64, 700).double() @ tensor("g", 700, 65).double()


def elementwise() -> Iterator[Hashed]:
    """Functions of torch, each on more numbers than one vector holds; without torch.sqrt (see numerics.py)."""
    x = tensor("x", 100_003) * 8.0
    yield from (f(x) for f in (torch.exp, torch.sigmoid, torch.tanh, F.softplus, torch.erf, F.gelu, F.leaky_relu))
    yield from (f(x.abs() + 0.001) for f in (torch.log, torch.rsqrt, torch.log1p, torch.reciprocal))
    yield from (f(x.double()) for f in (torch.exp, torch.sin, torch.cos, torch.sigmoid))
    yield torch.pow(x.abs() + 0.5, 0.75)
    yield from (F.softmax(x[:99_990].reshape(-1, 30), 1), F.layer_norm(x[:99_990].reshape(-1, 30), (30,)))


def reductions() -> Iterator[Hashed]:
    """Sums, means and variances of torch, along each axis."""
    x = tensor("y", 37, 129, 65)
    for axis in (0, 1, 2):
        yield from (x.sum(axis), x.mean(axis), x.var(axis), x.std(axis), x.cumsum(axis), x.norm(dim=axis))
    yield from (x.sum(), x.mean(), x.double().sum(), torch.logsumexp(x, 2))


def scaling() -> Iterator[Hashed]:
    """Antialiased and plain interpolation, and pooling, as pictures and heat maps meet them."""
    x = tensor("pictures", 6, 3, 97, 131)
    yield F.interpolate(x, size=(64, 86), mode="bilinear", antialias=True, align_corners=False)
    yield F.interpolate(x, size=(128, 173), mode="bilinear", antialias=False, align_corners=False)
    yield F.avg_pool3d(tensor("maps", 2, 32, 4, 8, 8), (4, 7, 7), stride=1)
    whole = (x * 127 + 128).to(torch.uint8)
    yield F.interpolate(whole, size=(64, 86), mode="bilinear", antialias=True, align_corners=False)


def drawn() -> Iterator[Hashed]:
    """Random numbers of torch and NumPy from a seed."""
    yield from (torch.randn(4099, generator=torch.manual_seed(7)), torch.rand(4099), torch.randperm(4099))
    yield nn.Linear(129, 65).weight.detach()
    draw = generator(7, "operations")
    yield from (draw.standard_normal(4099), draw.uniform(size=4099), draw.permutation(4099), draw.exponential(size=999))


def vggish() -> Iterator[Hashed]:
    """VGGish on the three patches of a clip, and on a batch of 16."""
    yield from _embedded(3, 16)


def small_vggish() -> Iterator[Hashed]:
    """VGGish on one patch."""
    yield from _embedded(1)


def _embedded(*sizes: int) -> Iterator[Hashed]:
    network = Vggish()
    network.load_state_dict({name: torch.from_numpy(values) for name, values in seeded_weights(0).items()})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        for patches in sizes:
            yield network.eval()(tensor("patches" if patches < 16 else "more patches", patches, 96, 64))


def log_mel() -> Iterator[Hashed]:
    """Log-mel patches of real speech."""
    samples = np.frombuffer(SPEECH.read_bytes()[44:], "<i2") / 32768.0
    yield log_mel_patches(samples[: 16_000 * 10])


def numpy_functions() -> Iterator[Hashed]:
    """NumPy in float64 and float32: functions, sums, products, transforms."""
    for x in (exact("z", 50_021).astype(np.float64) * 8.0, exact("z", 50_021) * np.float32(8.0)):
        yield from (f(x) for f in (np.exp, np.sin, np.cos, np.tanh, np.square, np.abs, np.floor))
        yield from (f(np.abs(x) + x.dtype.type(0.01)) for f in (np.log, np.log10, np.log2, np.sqrt, np.log1p))
        yield from (np.power(np.abs(x), x.dtype.type(1.5)), x.sum(), x.mean(), x.std(), x.cumsum(), np.sort(x))
        yield from (np.argsort(x, kind="stable"), np.percentile(x, [2.5, 50, 97.5]), np.linalg.norm(x))
        square = x[:50_000].reshape(100, 500)
        yield from (square @ square.T, square.sum(0), square.mean(1), np.einsum("ij,kj->ik", square, square))
    yield np.abs(np.fft.rfft(exact("wave", 64, 400).astype(np.float64), 512))


def decompositions() -> Iterator[Hashed]:
    """SVD, eigenvalues and solutions of NumPy, and SVD of torch."""
    matrix = exact("matrix", 300, 128).astype(np.float64)
    yield from np.linalg.svd(matrix, full_matrices=False)
    yield from np.linalg.eigh(matrix.T @ matrix)
    yield np.linalg.solve(matrix[:128] + 4.0 * np.eye(128), matrix[128:256, :9])
    yield from torch.linalg.svd(torch.from_numpy(matrix), full_matrices=False)


def pca() -> Iterator[Hashed]:
    """scikit-learn's incremental PCA, in two steps, and the whitening that follows."""
    model, mixing = IncrementalPCA(), exact("mixing", 128, 128).astype(np.float64)
    patches = exact("sounds", 2400, 128).astype(np.float64) @ mixing
    for part in (patches[:1300], patches[1300:]):
        model.partial_fit(part)
    yield from (model.components_, model.explained_variance_, model.mean_)
    yield (patches - model.mean_) @ (model.components_ / np.sqrt(model.explained_variance_)[:, None]).T


def tsne() -> Iterator[Hashed]:
    """Actions on a plane."""
    yield plane(exact("nodes", 24, 96), perplexity=5.0, seed=3)


def metrics() -> Iterator[Hashed]:
    """Average precisions."""
    scores, labels = exact("scores", 120, 24), exact("truth", 120, 24) > 0.8
    labels[:, 3] = True  # no video without an action
    yield np.array([map_sample(scores, labels), map_action(scores, labels)])


OPERATIONS: dict[str, Callable[[], Iterator[Hashed]]] = {
    operation.__name__: operation
    for operation in (
        conv3d, conv2plus1d, training, small_training, adam, linear, elementwise, reductions, scaling, drawn, vggish,
        small_vggish, log_mel, numpy_functions, decompositions, pca, tsne, metrics,
    )
}  # fmt: skip


def hashes(name: str, threads: int) -> list[str]:
    """The start of each result's SHA-256, in the operation's order."""
    torch.set_num_threads(threads)
    with threadpool_limits(limits=threads):
        return [hashlib.sha256(_array(value).tobytes()).hexdigest()[:12] for value in OPERATIONS[name]()]


def _array(value: Hashed) -> np.ndarray:
    plain = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return np.ascontiguousarray(plain)


if __name__ == "__main__":
    chosen = sys.argv[sys.argv.index("--only") + 1 :] if "--only" in sys.argv else list(OPERATIONS)
    for chosen_name in chosen:
        for count in (1, 2):
            found = {"operation": chosen_name, "threads": count, "hashes": hashes(chosen_name, count)}
            print(json.dumps(found), flush=True)  # noqa: T201
