"""The table of `make bench` on the page."""

from math import nan

from pipeline.report.bench_rows import Comparison, row
from pipeline.report.sections import bench


def line(name, device, ratio, target=12.0):
    found = Comparison(130.0, 10.0, ratio, ratio - 1, ratio + 1, 5)
    return row(name, found, device=device, what="decoding", peer="ffmpeg", unit="clips/s", bound="at least",
               target=target, note="on one core")  # fmt: skip


def test_lines_stand_under_their_device_with_what_was_missed():
    rows = [line("sound", "CPU", 13.0), line("silence", "CPU", 9.0), line("train", "GPU", 2.0, nan)]
    cpu, gpu = bench.bench(rows)
    assert (cpu.name, [entry.name for entry in cpu.lines]) == ("CPU", ["sound", "silence"])
    assert [entry.met for entry in (*cpu.lines, *gpu.lines)] == [True, False, None]
    assert cpu.lines[1].target == "at least 12.0: missed"
    assert cpu.lines[0].ratio == "13.0 (12.0 to 14.0)"
    assert cpu.lines[0].note == "on one core"


def test_nothing_measured_is_nothing_shown():
    assert bench.bench([]) == []
