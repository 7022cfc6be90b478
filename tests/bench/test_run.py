"""Which benchmarks run, and what stays of them."""

import sys

import pytest

from pipeline.bench import run as module
from pipeline.foundations.runtime.errors import PlainError
from pipeline.report.bench_rows import read_rows
from tests.report.test_bench_rows import line


@pytest.fixture
def bench(tmp_path, params, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    done = []

    def make(name):
        def work(corpus):
            assert corpus.folder.is_dir()
            done.append(name)
            return [line(name)]

        return work

    monkeypatch.setattr(module, "ON_CPU", {name: make(name) for name in ("sound", "gcn", "memory")})

    def start(*names, device="cpu"):
        return [row.name for row in module.run(names, params, device=device, table=tmp_path / "bench.parquet")]

    return start, done, tmp_path


def test_all_but_those_apart_run_where_none_is_named(bench):
    start, done, folder = bench
    assert start() == done == ["sound", "gcn"]
    assert [row.name for row in read_rows(folder / "bench.parquet")] == ["gcn", "sound"]
    assert list((folder / ".cache/bench").iterdir()) == []


def test_named_ones_run_and_others_keep_their_lines(bench):
    start, _, folder = bench
    start("sound")
    assert start("memory") == ["memory"]
    assert [row.name for row in read_rows(folder / "bench.parquet")] == ["memory", "sound"]


def test_an_unknown_name_is_told_before_anything_runs(bench):
    start, done, _ = bench
    with pytest.raises(PlainError, match="'speed' is no benchmark on cpu: choose from sound, gcn, memory"):
        start("sound", "speed")
    assert not done


def test_one_whose_library_is_not_installed_is_left_out_or_refused_by_name(bench, monkeypatch, capfd):
    start, done, _ = bench
    monkeypatch.setattr(module, "NEEDED", {"gcn": "hub"})
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert start() == done == ["sound"]
    sentence = "bench gcn needs TensorFlow, which is not installed: make install EXTRAS=hub"
    assert f"{sentence}; left out" in " ".join(capfd.readouterr().err.split())
    with pytest.raises(PlainError, match=sentence):
        start("gcn")


def test_without_a_gpu_its_benchmarks_say_so(bench, monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)
    with pytest.raises(PlainError, match="PyTorch can use no CUDA device here"):
        bench[0]("train", device="cuda")
