"""More GPU benchmarks: bfloat16 convolutions, VGGish, and whether two CPU cores can feed the GPU."""

from math import nan

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.audio.embedders import clip_patches
from pipeline.audio.extraction import Network, embed
from pipeline.audio.logmel import BANDS, PATCH_FRAMES
from pipeline.bench.corpus import Corpus
from pipeline.bench.cuda import BATCH, device_name, training_rates
from pipeline.bench.measure import by_rate, cores, rates
from pipeline.bench.network import FRAMES, PAPER, SIZE, model_of
from pipeline.bench.pictures import examples_of, of_paper, sources_of
from pipeline.bench.vggish import CLIPS, samples_of, seeded_network
from pipeline.report.bench_rows import Comparison, Row, row
from pipeline.train.batches import load, shuffled

BFLOAT16 = 2.0**-8
"""Half of what lies between 1 and the next bfloat16 number: rounding changes no number by a larger part of it."""
FEEDERS = 2


def conv3d(
    corpus: Corpus, *, device: str = "cuda", backbone: str = PAPER, batch: int = 8, size: int = SIZE
) -> list[Row]:
    """Every convolution of the network in bfloat16 with channels innermost, and its gradients, beside float32."""
    where = torch.device(device)
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    worst = {name: difference(conv, shape, where) for name, conv, shape in _convolutions(corpus, backbone, batch, size)}
    name = max(worst, key=worst.__getitem__)
    return [
        row(
            "conv3d",
            Comparison(worst[name], BFLOAT16, worst[name] / BFLOAT16, nan, nan, len(worst)),
            device=device_name(where),
            what=f"the {len(worst)} 3-D convolutions of {backbone} and their gradients in bfloat16: the largest "
            "difference from float32, as part of the largest value",
            peer="what rounding to bfloat16 explains",
            unit="",
            bound="at most",
            target=1.0,
            note=f"cuDNN {cudnn}; the largest in {name}",
        )
    ]


def _convolutions(corpus: Corpus, backbone: str, batch: int, size: int) -> list[tuple[str, nn.Conv3d, tuple[int, ...]]]:
    """Each convolution with its name and the shape that it takes."""
    network = model_of(corpus.params, ("fc",), backbone).backbone.eval()
    seen: dict[str, tuple[int, ...]] = {}
    hooks = [
        module.register_forward_hook(lambda _, inputs, __, name=name: seen.update({name: inputs[0].shape}))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv3d)
    ]
    with torch.no_grad():
        network(torch.zeros(1, 3, FRAMES, size, size))
    for hook in hooks:
        hook.remove()
    found = dict(network.named_modules())
    return [(name, found[name], (batch, *shape[1:])) for name, shape in seen.items()]  # type: ignore[misc]


def difference(conv: nn.Conv3d, shape: tuple[int, ...], device: torch.device) -> float:
    """The largest difference of a bfloat16 convolution, or of a gradient of it, from float32 on the same numbers."""
    random = torch.Generator().manual_seed(0)
    clips = torch.randn(shape, generator=random).bfloat16().to(device)
    weight = conv.weight.detach().bfloat16().to(device)
    back = torch.randn(_out(conv, shape), generator=random).bfloat16().to(device)
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with exact:
        inner = torch.channels_last_3d
        found = _through(conv, clips.to(memory_format=inner), weight.to(memory_format=inner), back)
        expected = _through(conv, clips.float(), weight.float(), back.float())
    pairs = zip(found, expected, strict=True)
    return max(float((mine.float() - other).abs().max() / other.abs().max()) for mine, other in pairs)


def _out(conv: nn.Conv3d, shape: tuple[int, ...]) -> tuple[int, ...]:
    with torch.device("meta"):
        made = F.conv3d(torch.empty(shape), torch.empty(conv.weight.shape), None, conv.stride, conv.padding)  # type: ignore[arg-type]
    return tuple(made.shape)


def _through(conv: nn.Conv3d, clips: Tensor, weight: Tensor, back: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The convolution, and the gradients of its input and its weight."""
    clips, weight = clips.detach().requires_grad_(), weight.detach().requires_grad_()
    out = F.conv3d(clips, weight, None, conv.stride, conv.padding)  # type: ignore[arg-type]
    grads = torch.autograd.grad(out, (clips, weight), back)
    return out.detach(), grads[0], grads[1]


def vggish(corpus: Corpus, *, device: str = "cuda") -> list[Row]:
    """Embeddings from samples, log-mel on one core, the network on the GPU; beside one clip at a time, in float32."""
    sounds, plain = samples_of(corpus), Network(*seeded_network(corpus)[:2], device)
    network = plain._replace(mixed_precision=True)

    def ours() -> int:
        patches = np.stack([clip_patches(sound) for sound in sounds]).astype(np.float32)
        return len(embed(patches.reshape(-1, PATCH_FRAMES, BANDS), network)) // 3

    def single() -> int:
        return sum(len(embed(clip_patches(sound).astype(np.float32), plain)) == 3 for sound in sounds)

    found = rates({"ours": ours, "peer": single}, repeats=5)
    return [
        row(
            "vggish",
            by_rate(found),
            device=device_name(torch.device(device)),
            what=f"log-mel and VGGish from samples, {CLIPS} clips a batch, bfloat16",
            peer="the same, one clip at a time, float32",
            unit="clips/s",
        )
    ]


def feeding(
    corpus: Corpus, *, device: str = "cuda", backbone: str = PAPER, batch: int = BATCH, size: int = SIZE
) -> list[Row]:
    """Clips that two cores make from the training copies, beside clips that the GPU trains on."""
    where = torch.device(device)
    params = of_paper(corpus.params)
    examples = examples_of(sources_of(corpus.pictures), corpus.folder / "clips", params)
    made = min(len(examples), batch)

    def fed() -> int:
        epochs = [shuffled(len(examples), made, seed=0, purpose="bench", epoch=epoch)[0] for epoch in range(20)]
        return sum(len(loaded.pictures) for loaded in load(examples, epochs, workers=FEEDERS, device=where))

    with cores(FEEDERS):
        supply = by_rate(rates({"ours": fed, "peer": fed}, repeats=3))
    need = by_rate(training_rates(corpus.params, ("ours",), where, backbone, batch, size), "ours", "ours").ours
    return [
        row(
            "feed",
            Comparison(supply.ours, need, supply.ours / need, nan, nan, supply.repeats),
            device=device_name(where),
            what=f"training examples of {FRAMES} x {SIZE} x {SIZE} that {FEEDERS} CPU cores make",
            peer=f"clips that the GPU trains {backbone} on",
            unit="clips/s",
            bound="at least",
            target=1.0,
        )
    ]
