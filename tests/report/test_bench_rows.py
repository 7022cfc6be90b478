"""The table of measurements: what it holds, how it is renewed, and how it reads."""

from math import nan

import pytest

from pipeline.foundations.tables import tables
from pipeline.report.bench_rows import Comparison, markdown, merged, read_rows, row, short


def line(name="sound", ratio=13.0, device="1 core", **changes):
    found = Comparison(130.0, 10.0, ratio, 12.5, 13.5, 5)
    texts = {"device": device, "what": "decoding", "peer": "ffmpeg", "unit": "clips/s"}
    return row(name, found, **texts | {"bound": "at least", "target": 12.0} | changes)


@pytest.mark.parametrize(
    ("ratio", "bound", "target", "met"),
    [(12.0, "at least", 12.0, True), (11.9, "at least", 12.0, False), (1.03, "at most", 1.03, True),
     (1.04, "at most", 1.03, False), (5.0, "", nan, None)],
)  # fmt: skip
def test_a_ratio_is_held_to_its_target(ratio, bound, target, met):
    assert line(ratio=ratio, bound=bound, target=target).met is met


def test_lines_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "bench.parquet"
    tables.write("bench", path, merged(path, [line(), line("gcn")]))
    assert read_rows(path) == [line("gcn"), line()]


def test_a_new_measurement_replaces_that_of_its_name_and_device_alone(tmp_path):
    path = tmp_path / "bench.parquet"
    tables.write("bench", path, merged(path, [line(), line("gcn"), line(device="a GPU")]))
    tables.write("bench", path, merged(path, [line(ratio=14.0)]))
    found = {(entry.name, entry.device): entry.ratio for entry in read_rows(path)}
    assert found == {("gcn", "1 core"): 13.0, ("sound", "1 core"): 14.0, ("sound", "a GPU"): 13.0}


def test_the_table_for_people_says_what_was_missed():
    text = markdown([line(), line("silence", ratio=11.0), line("plain", bound="", target=nan)])
    assert text.splitlines()[2:] == [
        "| sound | decoding; against ffmpeg | 130 | 10.0 | clips/s | 13.0 (12.5 to 13.5) | at least 12.0 |",
        "| silence | decoding; against ffmpeg | 130 | 10.0 | clips/s | 11.0 (12.5 to 13.5) | at least 12.0: missed |",
        "| plain | decoding; against ffmpeg | 130 | 10.0 | clips/s | 13.0 (12.5 to 13.5) |  |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (0.5, "0.500"), (1.034, "1.03"), (9.87, "9.87"), (12.34, "12.3"), (123.4, "123"),
     (12345.6, "12,346"), (nan, "")],
)  # fmt: skip
def test_numbers_have_three_digits(value, text):
    assert short(value) == text
