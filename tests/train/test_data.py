import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.clips.jpeg import decode_jpeg, encode_jpeg
from pipeline.clips.packs import EXCLUDED, Packs, pack_name
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.train.data import Pick, cut, open_examples
from pipeline.train.experiment import open_data
from pipeline.train.views import View, center_view
from tests.train.miniature import write_inputs


@pytest.fixture
def opened(miniature, small):
    choose = partial(center_view, frames=small.frames, train=small.train)
    return partial(open_examples, packs=Packs(miniature.inputs.clips), actions=3, choose=choose, train=small.train)


def smooth(height=160, width=213):
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack(
        [128 + 100 * np.sin(rows / 9), 128 + 100 * np.cos(columns / 11), (rows + columns) * 0.6], axis=2
    ).astype(np.uint8)


def view(height, width, top, left, *, scaling="antialiased", flip=False):
    return View([0], height, width, scaling, top, left, flip)


@pytest.mark.parametrize("scaling", ["antialiased", "released"])
def test_a_cut_is_what_scaling_the_whole_frame_and_cropping_gives(scaling):
    """By Pillow with antialiasing, and by PyTorch without, on floats, as the released code does."""
    jpeg = encode_jpeg(smooth(), 95)
    found = cut(np.stack([decode_jpeg(jpeg)]), view(128, 170, 8, 40, scaling=scaling), 112)[0].numpy()
    if scaling == "antialiased":
        whole = np.asarray(Image.open(io.BytesIO(jpeg)).resize((170, 128), Image.Resampling.BILINEAR))
    else:
        pixels = torch.from_numpy(decode_jpeg(jpeg).copy()).permute(2, 0, 1)[None].float()
        whole = torch.nn.functional.interpolate(pixels, size=(128, 170), mode="bilinear")[0].permute(1, 2, 0).numpy()
    assert found.shape == (112, 112, 3)
    assert np.abs(found - whole[8:120, 40:152].astype(float)).max() <= 1


def test_without_antialiasing_only_the_nearest_pixels_count():
    """Every fourth column is white: scaled to a quarter, antialiasing makes all gray, the released way none."""
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:, ::4] = 255
    jpeg = encode_jpeg(frame, 100)
    assert cut(np.stack([decode_jpeg(jpeg)]), view(16, 16, 0, 0), 16).float().mean() == pytest.approx(64, abs=3)
    assert cut(np.stack([decode_jpeg(jpeg)]), view(16, 16, 0, 0, scaling="released"), 16).float().mean() < 10


def test_a_cut_at_the_stored_scale_is_the_stored_pixels():
    jpeg = encode_jpeg(smooth(40, 50), 95)
    found = cut(np.stack([decode_jpeg(jpeg)] * 2), view(40, 50, 3, 7), 30)
    assert found.shape == (2, 30, 30, 3)
    assert (found[1].numpy() == decode_jpeg(jpeg)[3:33, 7:37]).all()


def test_a_mirrored_cut_is_the_mirror_image():
    pictures = np.stack([decode_jpeg(encode_jpeg(smooth(), 95))])
    for size in ((160, 213), (128, 170)):
        plain, mirrored = (cut(pictures, view(*size, 5, 20, flip=flip), 112).numpy() for flip in (False, True))
        assert (plain[:, :, ::-1] == mirrored).all()


def test_an_example_is_its_videos(opened, miniature, small):
    examples = opened(miniature.inputs.train)
    assert examples.video_ids.to_pylist() == [f"v{number:02d}" for number in range(12)]
    example = examples[Pick(row=3, epoch=0)]
    assert example.pictures.shape == (2, 16, 16, 3)
    assert example.targets.tolist() == [False, True, True]
    assert example.rows.item() == 3
    assert examples.counts().tolist() == [6, 6, 4]


def test_an_excluded_video_is_left_out(opened, miniature):
    examples = opened(miniature.inputs.val)
    assert len(tables.read("splits", miniature.inputs.val)) == 8
    assert examples.video_ids.to_pylist() == [f"v{number}" for number in range(12, 19)]


def test_a_video_with_neither_copy_nor_reason_is_an_error(opened, miniature, tmp_path):
    for file in miniature.inputs.clips.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tables.write("exclusions", tmp_path / EXCLUDED, tables.empty("exclusions"))
    with pytest.raises(PlainError, match=r"found no copy of 1 videos of .*val\.parquet, the first v19"):
        opened(miniature.inputs.val, packs=Packs(tmp_path))


def test_copies_smaller_than_the_jitter_are_an_error(opened, miniature, small):
    train = small.train.model_copy(update={"jitter": (16, 21)})
    with pytest.raises(PlainError, match=r"short side 20, expected train\.jitter's upper end of 21"):
        opened(miniature.inputs.train, train=train)


def test_the_examples_of_a_run_open_each_pack_once(tmp_path, design, small):
    """A process's limit of open files is raised for one set of packs."""
    inputs = write_inputs(tmp_path).inputs  # which no other test has open
    data = open_data(inputs, actions=3, frames=design.frames, train=small.train, seed=7, with_sounds=False)
    for examples in (data.training, data.measuring, data.validation):
        for row in range(len(examples)):
            examples[Pick(row, epoch=0)]
    opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    packs = [path.name for path in opened if path.parent == inputs.clips.resolve()]
    assert sorted(packs) == [pack_name(number) for number in range(4)]
