"""Single pictures as JPEG: quick to decode by themselves, which is what a training loader wants."""

import io

import numpy as np
from PIL import Image

Image.preinit()  # loads the formats now: a guarded process loads nothing later


def encode_jpeg(frame: np.ndarray, quality: int) -> bytes:
    """One picture, uint8 H x W x 3, as JPEG; its colours at full size, without which scaling again costs more."""
    target = io.BytesIO()
    Image.fromarray(frame).save(target, "JPEG", quality=quality, subsampling=0)
    return target.getvalue()


def decode_jpeg(data: bytes) -> np.ndarray:
    """The picture of `encode_jpeg`, uint8 H x W x 3."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
