import io

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from pipeline.clips.jpeg import decode_jpeg, encode_jpeg


def gradient(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, (x + y) // 2], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (112, 149), (128, 170), (3, 200)])
def test_a_picture_comes_back_in_its_shape_and_nearly_its_colours(height: int, width: int):
    frame = gradient(height, width)
    again = decode_jpeg(encode_jpeg(frame, 95))
    assert again.dtype == np.uint8
    assert again.shape == frame.shape
    assert np.abs(again.astype(int) - frame).mean() < 3


def test_red_green_and_blue_keep_their_places():
    for channel in range(3):
        frame = np.zeros((16, 16, 3), np.uint8)
        frame[..., channel] = 255
        assert decode_jpeg(encode_jpeg(frame, 90)).mean((0, 1)).argmax() == channel


def test_colours_are_kept_at_full_size():
    """Columns of red and blue by turns; were colours halved, all would be purple."""
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[:, ::2, 0] = frame[:, 1::2, 2] = 255
    assert np.abs(decode_jpeg(encode_jpeg(frame, 95)).astype(int) - frame).mean() < 3


def test_a_view_that_is_turned_is_encoded_as_it_looks():
    frame = gradient(40, 60)
    assert encode_jpeg(np.rot90(frame), 90) == encode_jpeg(np.ascontiguousarray(np.rot90(frame)), 90)


def test_less_quality_takes_fewer_bytes():
    frame = gradient(128, 170)
    assert len(encode_jpeg(frame, 30)) < len(encode_jpeg(frame, 90))


def test_what_is_not_jpeg_is_refused_whatever_pillow_could_read():
    target = io.BytesIO()
    Image.fromarray(gradient(8, 8)).save(target, "PNG")
    with pytest.raises(UnidentifiedImageError):
        decode_jpeg(target.getvalue())
