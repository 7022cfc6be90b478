"""Single pictures as JPEG: quick to decode by themselves, which is what a training loader wants."""

import io

import numpy as np
from PIL import Image


def encode_jpeg(frame: np.ndarray, quality: int) -> bytes:
    """One picture, uint8 H x W x 3, as JPEG."""
    target = io.BytesIO()
    Image.fromarray(frame).save(target, "JPEG", quality=quality)
    return target.getvalue()


def decode_jpeg(data: bytes, box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """The picture of `encode_jpeg`, uint8 H x W x 3; or what lies in `box` of it: left, top, right, bottom."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        part = image.crop(box) if box else image  # before it becomes an array, which costs as much as decoding
        return np.asarray(part if part.mode == "RGB" else part.convert("RGB"))
