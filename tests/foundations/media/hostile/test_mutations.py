"""Videos with random damage: whatever comes out, it is pictures and sound, or one of the two findings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.params import Media
from pipeline.foundations.tables.seeds import generator

BASES = ["index_last.mp4", "fragments.mp4", "matroska_named.mp4", "vp9.webm", "good.avi", "hevc.mp4", "planar.mp4"]
MEMORY_MB = 600


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """Overwrite, drop, repeat or swap some bytes, most often where headers are."""
    data = bytearray(content)
    for _ in range(random.integers(1, 12)):
        reach = len(data) if random.random() < 0.5 else min(len(data), 2_000)
        start = (
            int(random.integers(reach)) if random.random() < 0.7 else max(0, len(data) - int(random.integers(1, 3_000)))
        )
        size = int(random.choice([1, 2, 4, 8, 64, 1_000]))
        match random.integers(5):
            case 0:
                data[start : start + size] = random.bytes(size)
            case 1:
                data[start : start + size] = bytes(size)
            case 2:
                data[start : start + size] = b"\xff" * size
            case 3:
                del data[start : start + size]
            case 4:
                data[start:start] = data[start : start + size]
    return bytes(data)


def survive(
    numbers: range, corpus: Path, tmp_path: Path, guard: Guard, media: Media, decoder_peak: Callable[[], float]
) -> dict[str, int]:
    """Read mutated files; returns how often each outcome came."""
    outcomes = {"read": 0, "refused": 0}
    for number in numbers:
        path = tmp_path / "mutated"
        base = corpus / BASES[number % len(BASES)]
        path.write_bytes(mutated(base.read_bytes(), generator(0, "mutation", number)))
        try:
            sound = guard.call(read_sound, path, media)
            assert sound.samples.dtype == np.float32
            assert 0 < len(sound.samples) <= media.max_seconds * sound.rate
            pictures = guard.call(read_frames, path, media, fps=10.0, short_side=48).pixels
            assert pictures.dtype == np.uint8
            assert min(pictures.shape[1:3]) == 48
            outcomes["read"] += 1
        except (NoAudioStream, Undecodable):
            outcomes["refused"] += 1
        assert decoder_peak() < MEMORY_MB
    return outcomes


def test_a_hundred_mutated_videos_are_read_or_refused(
    corpus: Path, tmp_path: Path, guard: Guard, media: Media, decoder_peak: Callable[[], float]
):
    outcomes = survive(range(100), corpus, tmp_path, guard, media, decoder_peak)
    assert min(outcomes.values()) > 10  # mild enough to be read, harsh enough to be refused


@pytest.mark.soak
def test_ten_thousand_mutated_videos_are_read_or_refused(
    corpus: Path, tmp_path: Path, guard: Guard, media: Media, decoder_peak: Callable[[], float]
):
    outcomes = survive(range(100, 10_100), corpus, tmp_path, guard, media, decoder_peak)
    assert min(outcomes.values()) > 1_000
