from hashlib import sha256

import numpy as np
import pytest

from pipeline.clips.h264 import GOP, decode_h264, encode_h264, group_start
from pipeline.foundations.runtime.errors import PlainError

FRAMES = 2 * GOP + 3


def film(height: int = 48, width: int = 63, frames: int = FRAMES) -> np.ndarray:
    """A wave that moves, whose blue tells the time."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin((x + 2 * y + 3 * time) / 9) for time in range(frames)]
    return np.stack([np.stack([w, 255 - w, np.full_like(w, 6 * time)], -1) for time, w in enumerate(waves)]).astype(
        "u1"
    )


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    return list(encode_h264(film(), 12))


@pytest.mark.parametrize(("height", "width"), [(48, 63), (33, 17), (16, 16)])
def test_every_frame_comes_back_in_its_place_shape_and_nearly_its_colours(height, width):
    pictures = film(height, width)
    stored = list(encode_h264(pictures, 4))
    again = decode_h264(stored, range(len(stored)))
    assert again.dtype == np.uint8
    assert again.shape == pictures.shape
    assert np.abs(again.astype(int) - pictures).mean((1, 2, 3)).max() < 3


def test_any_frame_is_decoded_from_its_groups_start_and_is_the_same_picture(packets):
    whole = decode_h264(packets, range(FRAMES))
    for frame in range(FRAMES):
        start = group_start(frame)
        assert frame - start < GOP
        assert (decode_h264(packets[start : frame + 1], [frame - start])[0] == whole[frame]).all()
    assert (decode_h264(packets[GOP:], [9, 2, 9]) == whole[[GOP + 9, GOP + 2, GOP + 9]]).all()


@pytest.mark.parametrize("instructions", ["0", "SSE2", "AVX2"])
def test_the_bytes_are_those_of_any_processor(packets, instructions):
    """x264 held to plain C, and to what older CPUs have."""
    assert list(encode_h264(film(), 12, more=f"asm={instructions}")) == packets


def test_the_bytes_are_those_of_any_machine(packets):
    """Another version of PyAV's x264 may write others: then this hash, and all copies, are made anew."""
    assert sha256(b"".join(packets)).hexdigest()[:16] == "4974ed77ba1ba49d"


def test_a_smaller_factor_is_nearer_and_larger(packets):
    coarse = list(encode_h264(film(), 40))
    assert sum(map(len, coarse)) < sum(map(len, packets))
    distance = [np.abs(decode_h264(one, [5])[0].astype(int) - film()[5]).mean() for one in (packets, coarse)]
    assert distance[0] < distance[1]


def test_no_picture_is_no_packet():
    assert list(encode_h264([], 18)) == []


@pytest.mark.parametrize("damage", [lambda p: [b"no packet", *p[1:]], lambda p: p[1:], lambda p: p[:2]])
def test_what_is_no_group_is_refused(packets, damage):
    with pytest.raises(PlainError, match=r"found \d+ of \d+ frames in H\.264"):
        decode_h264(damage(packets[:3]), [2])
