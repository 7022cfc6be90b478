"""Whatever the bytes of annotation files, reading ends in checked annotations or in a plain error."""

import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dataset import charades, mmit
from pipeline.dataset.annotations import Annotations
from pipeline.foundations.runtime.errors import PlainError

MMIT = {
    "moments_categories.txt": b"swimming,0\nplaying+music,1\nhitting/colliding,2\n",
    "trainingSet.txt": b"swimming/a.mp4,0\nplaying+music/b.mp4,1,2\nhitting/c d.MP4,2,0\n",
    "validationSet.txt": b"swimming/e.mp4,0,2\nswimming/f.mp4,1\n",
    "testSet.txt": b"swimming/g.mp4,1\n",
}
CHARADES = {
    "Charades_v1_classes.txt": b"c000 Holding some clothes\nc001 Running\n",
    "Charades_v1_train.csv": b'id,script,actions\nA,"two, words",c000 0.0 1.5;c001 0.0 2.0\nB,"",\n',
    "Charades_v1_test.csv": b"id,script,actions\nC,x,c001 0.00 12.60\n",
}
READERS = {"mmit": (mmit.read, MMIT), "charades": (charades.read, CHARADES)}
# Pieces that mean something to a reader, between plain noise.
PIECES = [b"", b",", b"\n", b"\r", b"\r\n", b"/", b"..", b"../", b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b";", b"-1",
          b"999999999999", b" ", b"\t", b".", b"0", b"1", b"c", "é".encode(), "\u2028".encode(),
          "٣".encode()]  # fmt: skip
EDITS = st.lists(
    st.tuples(
        st.integers(0, 3),  # file
        st.floats(0, 1),  # where
        st.integers(0, 12),  # bytes that go
        st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)),  # bytes that come
    ),
    min_size=1,
    max_size=4,
)


def _mutated(files: dict[str, bytes], edits: list[tuple[int, float, int, bytes]]) -> dict[str, bytes]:
    contents = list(files.values())
    for number, where, gone, put in edits:
        content = contents[number % len(contents)]
        start = round(where * len(content))
        contents[number % len(contents)] = content[:start] + put + content[start + gone :]
    return dict(zip(files, contents, strict=True))


def _check(found: Annotations) -> None:
    n = len(found.actions)
    ids = [video.video_id for video in found.videos]
    assert n == len(set(found.actions)) >= 1
    assert len(ids) == len(set(ids))
    for video in found.videos:
        assert list(video.actions) == sorted(set(video.actions))
        assert video.actions
        assert all(0 <= action < n for action in video.actions)
        path = PurePosixPath(video.path)
        assert str(path) == video.path
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert "\x00" not in video.path
        assert "\n" not in video.path


def _read_mutated(source: str, edits: list[tuple[int, float, int, bytes]]) -> None:
    reader: Callable[[Path], Annotations]
    reader, files = READERS[source]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in _mutated(files, edits).items():
            (Path(folder) / name).write_bytes(content)
        found: Annotations | str
        try:
            found = reader(Path(folder))
        except PlainError as error:
            found = str(error)
    if isinstance(found, str):
        assert any(f"{name}: line " in found for name in files)
    else:
        _check(found)


@pytest.mark.parametrize("source", READERS)
def test_the_untouched_files_are_read(source):
    reader, files = READERS[source]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        _check(reader(Path(folder)))


@pytest.mark.parametrize("source", READERS)
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_mutated_annotations_are_read_or_refused(source, edits):
    _read_mutated(source, edits)


@pytest.mark.soak
@pytest.mark.parametrize("source", READERS)
@settings(max_examples=12_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_ten_thousand_mutations_are_read_or_refused(source, edits):
    _read_mutated(source, edits)
