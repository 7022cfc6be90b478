"""The GPU's benchmarks, on the CPU and with a small network: what they count and compare."""

import time

import pytest
import torch

from pipeline.bench import cuda, cuda_parts, cuda_waits
from pipeline.bench.corpus import Corpus
from pipeline.model.flops import flops_of
from pipeline.train.data import Batch

SMALL = {"device": "cpu", "backbone": "r2plus1d_tiny", "batch": 2, "size": 16}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(cuda, "STEPS", 1)
    monkeypatch.setattr(cuda, "REPEATS", 1)


@pytest.fixture(scope="module")
def little(corpus, tmp_path_factory):
    """The corpus, with GCNs of eight hidden features."""
    params = corpus.params.model_copy(update={"gcn": corpus.params.gcn.model_copy(update={"hidden": 8})})
    return Corpus(tmp_path_factory.mktemp("little"), params)


def test_the_papers_network_takes_38_gmac_a_clip():
    assert flops_of("r2plus1d_34", 8, 112) == pytest.approx(2 * 38.09e9, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "work", "ways"),
    [("train", cuda.training, ["the fastest kernels", "compiled"]), ("test", cuda.scoring, ["the fastest kernels"])],
)
def test_every_way_is_held_against_the_plain_ones_and_the_device(little, monkeypatch, name, work, ways):
    monkeypatch.setattr(cuda, "compile_objective", lambda *_, **__: None)  # a minute of a CPU
    rows = work(little, **SMALL, matrix=64)
    assert [row.name for row in rows] == [
        f"{name}, against plain", f"{name}, against autocast", *(f"{name}, {way}" for way in ways),
        f"{name}, of the matrix rate",
    ]  # fmt: skip
    share = rows[-1]
    assert share.unit == "TFLOP/s"
    clips = max(row.ours for row in rows[:-1])
    passes = 3 if name == "train" else 1
    assert share.ours == pytest.approx(clips * passes * flops_of("r2plus1d_tiny", cuda.FRAMES, 16) / 1e12)


def test_a_small_network_is_tried_as_cuda_graphs(little, monkeypatch):
    asked = []
    monkeypatch.setattr(cuda, "compile_objective", lambda _, how, **__: asked.append(how))
    (row,) = cuda.graphs(little, **SMALL)
    assert (row.name, asked) == ("train, graphs", ["none", "graphs"])


def test_the_wait_is_the_time_between_steps():
    """Steps of 20 ms with 60 ms between them: three quarters of the time, but for the last step."""
    made = Batch(*[torch.zeros(5)] * 4)

    def batches():
        for _ in range(cuda_waits.WARM_UP + 4):
            time.sleep(0.06)
            yield made

    share, speed = cuda_waits.observed(lambda _: time.sleep(0.02), batches(), torch.device("cpu"))
    assert share == pytest.approx(3 * 60 / (3 * 60 + 4 * 20), abs=0.1)
    assert speed == pytest.approx(4 * 5 / 0.26, rel=0.3)


@pytest.mark.slow
def test_waits_are_measured_beside_the_plain_loops(little, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(cuda_waits, "STEPS", 3)
    monkeypatch.setattr(cuda_waits, "REPEATS", 1)
    wait, speed = cuda_waits.waiting(little, **SMALL)
    assert 0 <= wait.ours < 1
    assert 0 <= wait.theirs < 1
    assert speed.unit == "clips/s"


def test_every_convolution_is_looked_at_and_the_worst_is_named(corpus, monkeypatch):
    wrong = "layer3.0.shortcut.conv"
    monkeypatch.setattr(cuda_parts, "difference", lambda conv, *_: 0.25 if conv.weight.shape[:3] == (64, 32, 1) and
                        conv.stride[0] == 2 else 0.001)  # fmt: skip
    (row,) = cuda_parts.conv3d(corpus, **SMALL)
    assert "the 21 3-D convolutions" in row.what
    assert (row.ours, row.ratio, row.met) == (0.25, 64.0, False)
    assert row.note.endswith(f"the largest in {wrong}")


PARTS = ["output", "gradient of the input", "gradient of the weight"]
TRUE = cuda_parts._through


def convolution():
    """A small one, and the shape that it takes. Its sums are of 108 and, for the weight, of 256 products."""
    return torch.nn.Conv3d(4, 4, 3, padding=1, bias=False), (1, 4, 4, 8, 8), torch.device("cpu")


def through(factors):
    """Convolutions that are computed in float32 and rounded once, each part of them times its factor in bfloat16."""

    def run(conv, clips, weight, back):
        parts = TRUE(conv, clips.float(), weight.float(), back.float())
        half = clips.dtype == torch.bfloat16
        return [(part * factor if half else part).to(clips.dtype) for part, factor in zip(parts, factors, strict=True)]

    return run


def test_a_convolution_that_rounds_its_results_alone_is_right(monkeypatch):
    """Any CPU can do this much; what its own bfloat16 kernels add is another matter."""
    monkeypatch.setattr(cuda_parts, "_through", through((1.0, 1.0, 1.0)))
    assert 0 < cuda_parts.difference(*convolution()) <= cuda_parts.BFLOAT16


@pytest.mark.parametrize("wrong", range(3), ids=PARTS)
def test_a_wrong_convolution_is_seen(monkeypatch, wrong):
    """Two hundredths too much, five times what rounding explains, in any one of the three parts."""
    monkeypatch.setattr(cuda_parts, "_through", through([1.02 if part == wrong else 1.0 for part in range(3)]))
    assert cuda_parts.difference(*convolution()) > 2 * cuda_parts.BFLOAT16


def test_the_machines_own_kernels_compute_the_same_convolution():
    """Near to it: where sums are kept in bfloat16, each of n additions rounds, and errors grow as the root of n."""
    assert cuda_parts.difference(*convolution()) < 256**0.5 * cuda_parts.BFLOAT16


@pytest.mark.slow
def test_the_feed_is_held_against_the_need(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (row,) = cuda_parts.feeding(corpus, **SMALL)
    assert row.ratio == pytest.approx(row.ours / row.theirs)
    assert (row.bound, row.target) == ("at least", 1.0)
