import io
from functools import partial

import numpy as np
import pytest
from PIL import Image

from pipeline import tables
from pipeline.clips.packs import EXCLUDED
from pipeline.errors import PlainError
from pipeline.media.jpeg import decode_jpeg, encode_jpeg
from pipeline.train.data import Pick, cut, open_examples
from pipeline.train.views import View, center_view


@pytest.fixture
def opened(miniature, small):
    choose = partial(center_view, frames=small.frames, train=small.train)
    return partial(open_examples, clips=miniature.videos.clips, actions=3, choose=choose, train=small.train)


def smooth(height=160, width=213):
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack(
        [128 + 100 * np.sin(rows / 9), 128 + 100 * np.cos(columns / 11), (rows + columns) * 0.6], axis=2
    ).astype(np.uint8)


def test_a_cut_is_what_scaling_the_whole_frame_and_cropping_gives():
    """At a short side of 128, the square of 140 pixels at (left 50, top 10) is the crop of 112 at (40, 8)."""
    jpeg = encode_jpeg(smooth(), 95)
    found = cut([jpeg], View([0], left=50, top=10, side=140, flip=False), 112)[0].numpy()
    whole = Image.open(io.BytesIO(jpeg)).resize((170, 128), Image.Resampling.BILINEAR)
    expected = np.asarray(whole.crop((40, 8, 152, 120)))
    assert found.shape == (112, 112, 3)
    inside = np.abs(found.astype(int) - expected)[2:-2, 2:-2]
    assert inside.mean() < 1.0
    assert inside.max() <= 6


def test_a_cut_at_the_stored_scale_is_the_stored_pixels():
    jpeg = encode_jpeg(smooth(40, 50), 95)
    found = cut([jpeg, jpeg], View([0, 0], left=7, top=3, side=30, flip=False), 30)
    assert found.shape == (2, 30, 30, 3)
    assert (found[1].numpy() == decode_jpeg(jpeg)[3:33, 7:37]).all()


def test_a_mirrored_cut_is_the_mirror_image():
    jpeg = encode_jpeg(smooth(), 95)
    for side in (112, 140):
        view = View([0], left=20, top=5, side=side, flip=False)
        plain, mirrored = (cut([jpeg], view._replace(flip=flip), 112).numpy() for flip in (False, True))
        assert np.abs(plain[:, :, ::-1].astype(int) - mirrored).max() <= 1  # rounding in the scaling


def test_an_example_is_its_videos(opened, miniature, small):
    examples = opened(miniature.videos.train)
    assert examples.video_ids.to_pylist() == [f"v{number:02d}" for number in range(12)]
    example = examples[Pick(row=3, epoch=0)]
    assert example.pictures.shape == (2, 16, 16, 3)
    assert example.targets.tolist() == [False, True, True]
    assert example.rows.item() == 3
    assert examples.counts().tolist() == [6, 6, 4]


def test_an_excluded_video_is_left_out(opened, miniature):
    examples = opened(miniature.videos.val)
    assert len(tables.read("splits", miniature.videos.val)) == 8
    assert examples.video_ids.to_pylist() == [f"v{number}" for number in range(12, 19)]


def test_a_video_with_neither_copy_nor_reason_is_an_error(opened, miniature, tmp_path):
    for file in miniature.videos.clips.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tables.write("exclusions", tmp_path / EXCLUDED, tables.empty("exclusions"))
    with pytest.raises(PlainError, match=r"found no copy of 1 videos of .*val\.parquet, the first v19"):
        opened(miniature.videos.val, clips=tmp_path)


def test_copies_smaller_than_the_jitter_are_an_error(opened, miniature, small):
    train = small.train.model_copy(update={"jitter": (16, 21)})
    with pytest.raises(PlainError, match=r"short side 20, expected train\.jitter's upper end of 21"):
        opened(miniature.videos.train, train=train)
