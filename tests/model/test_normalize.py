"""From pictures to clips: one mean and deviation for all channels, or one for each."""

import pytest
import torch

from pipeline.model.normalize import as_clips


@pytest.fixture
def pictures():
    torch.manual_seed(0)
    return torch.randint(0, 256, (2, 3, 4, 5, 3), dtype=torch.uint8)


def test_each_channel_is_normalized_by_its_own(pictures, params):
    frames = params.frames.model_copy(update={"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)})
    clips = as_clips(pictures, frames)
    assert clips.shape == (2, 3, 3, 4, 5)
    for channel, (mean, std) in enumerate(zip(frames.mean, frames.std, strict=True)):
        torch.testing.assert_close(clips[:, channel], (pictures[..., channel] / 255 - mean) / std)


def test_equal_channels_are_one_number_for_all(pictures, params):
    each = params.frames.model_copy(update={"mean": (0.45,) * 3, "std": (0.225,) * 3})
    one = params.frames.model_copy(update={"mean": 0.45, "std": 0.225})
    torch.testing.assert_close(as_clips(pictures, each), as_clips(pictures, one))
    assert as_clips(pictures, each).is_contiguous(memory_format=torch.channels_last_3d)
