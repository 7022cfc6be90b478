import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline.foundations.media.scaling import between_pixels, scaled_size


@pytest.mark.parametrize(
    ("height", "width", "antialiased", "released"),
    [
        (256, 340, (128, 170), (128, 170)),
        (240, 320, (128, 171), (128, 170)),
        (320, 240, (171, 128), (170, 128)),
        (128, 128, (128, 128), (128, 128)),
        (360, 640, (128, 228), (128, 227)),
    ],
)
def test_the_long_side_is_rounded_or_cut(height, width, antialiased, released):
    assert scaled_size(height, width, 128, "antialiased") == antialiased
    assert scaled_size(height, width, 128, "released") == released


@pytest.mark.parametrize("size", [(128, 170), (131, 174), (97, 61), (300, 400), (240, 320), (1, 1)])
def test_pixels_are_those_of_pytorch_without_antialiasing(size):
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    expected = functional.interpolate(planes, size=size, mode="bilinear")[0].permute(1, 2, 0).numpy()
    assert np.abs(between_pixels(picture, *size) - expected).max() <= 0.51  # rounded
