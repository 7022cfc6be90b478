"""All eight orientations, as the ffmpeg program shows them, whichever codec and container carries them."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.clips.prepare import copy_frames, line_of
from pipeline.foundations.media.frames import read_frames, reader
from pipeline.foundations.media.orientation import AS_STORED, Orientation, nearest, upright
from pipeline.foundations.params import Media, Params

Run = Callable[..., bytes]
Make = Callable[..., Path]
EIGHT = list(itertools.product((0, 90, 180, 270), (False, True)))
CARRIERS = {
    "mp4": "",
    "mov": "-c:v mpeg4",
    "mkv": "-c:v ffv1",
    "webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8",
    "hevc.mp4": "-c:v libx265 -preset ultrafast -x265-params log-level=none",
    "av1.mp4": "-c:v libaom-av1 -usage realtime -cpu-used 8",
    "mjpeg.mov": "-c:v mjpeg",
}


def shown_by_the_program(path: Path, ffmpeg: Run, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(ffmpeg("-i", path, "-f rawvideo -pix_fmt rgb24 -"), np.uint8).reshape(shape)


@pytest.fixture(params=CARRIERS)
def stored(request: pytest.FixtureRequest, tmp_path: Path, video: Make) -> Path:
    """A picture without any symmetry, in one kind of file."""
    return video(tmp_path / f"a.{request.param}", CARRIERS[request.param], seconds=0.3, sound=False)


def test_each_of_the_eight_is_shown_as_the_ffmpeg_program_shows_it(stored: Path, ffmpeg: Run, media: Media):
    seen = []
    for angle, mirrored in EIGHT:
        turned = stored.with_stem(f"{angle}_{mirrored}")
        ffmpeg(f"-display_rotation {angle} {'-display_hflip' if mirrored else ''} -i", stored, "-c copy", turned)
        pictures = read_frames(turned, media, fps=10.0, short_side=48).pixels
        expected = shown_by_the_program(turned, ffmpeg, pictures.shape)
        assert pictures.shape[1:3] == ((64, 48) if angle % 180 else (48, 64))
        assert np.abs(pictures.astype(int) - expected).mean() < 10  # the edges' colours, which each rounds its own way
        seen.append(pictures)
    differ = [
        np.abs(one.astype(int) - other).mean()
        for one, other in itertools.combinations(seen, 2)
        if one.shape == other.shape
    ]
    assert min(differ) > 25  # eight pictures, not fewer


@pytest.mark.parametrize("turn", ["rotate=90", "flip=horizontal", "flip=vertical", "rotate=270:flip=vertical"])
def test_an_orientation_within_the_codec_counts_too(turn: str, tmp_path: Path, video: Make, ffmpeg: Run, media: Media):
    path, turned = video(tmp_path / "a.mp4", seconds=0.3, sound=False), tmp_path / "turned.mp4"
    ffmpeg("-i", path, f"-c copy -bsf:v h264_metadata=display_orientation=insert:{turn}", turned)
    pictures = read_frames(turned, media, fps=10.0, short_side=48).pixels
    assert np.abs(pictures.astype(int) - shown_by_the_program(turned, ffmpeg, pictures.shape)).mean() < 10
    assert np.abs(pictures[:, ::-1].astype(int) - shown_by_the_program(turned, ffmpeg, pictures.shape)).mean() > 25


def test_testing_and_training_copies_see_the_same_side_up(
    tmp_path: Path, video: Make, ffmpeg: Run, media: Media, params: Params
):
    """`predict`, `evaluate` and `explain` read by `reader`, training copies by `copy_frames`."""
    path, turned = video(tmp_path / "a.mp4", seconds=0.3, sound=False), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation 90 -display_hflip -i", path, "-c copy", turned)
    clips = params.clips.model_copy(update={"short_side": 48})
    read = reader(params.frames, 48)(turned, media)
    fps, scaling = line_of(params.frames, clips)
    made = copy_frames(turned, media, fps=fps, scaling=scaling, clips=clips)
    assert (made.height, made.width) == read.pixels.shape[1:3] == (64, 48)
    straight = copy_frames(path, media, fps=fps, scaling=scaling, clips=clips)
    assert (straight.height, straight.width) == (48, 64)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), AS_STORED),
        ((0, 0, 0, 0), AS_STORED),
        ((-1, 0, 0, 1), Orientation(swapped=False, left_right=True, top_bottom=False)),
        ((0, 1, 1, 0), Orientation(swapped=True, left_right=False, top_bottom=False)),
        ((0.97, 0.26, -0.26, 0.97), AS_STORED),  # turned by 15 degrees
        ((0.26, 0.97, -0.97, 0.26), Orientation(swapped=True, left_right=True, top_bottom=False)),
        ((2, 0, 0, -3), Orientation(swapped=False, left_right=False, top_bottom=True)),  # scaled as well
        ((-0.5, 0, 0, -32768), Orientation(swapped=False, left_right=True, top_bottom=True)),
    ],
)
def test_any_matrix_has_a_nearest_of_the_eight(matrix: tuple[float, ...], expected: Orientation):
    a, b, c, d = (int(value * 65_536) for value in matrix)
    assert nearest(np.array([a, b, 0, c, d], np.int32)) == expected


def test_a_pixel_goes_where_the_matrix_says():
    """(x, y) is shown at (a x + c y, b x + d y), but for where the picture begins."""
    picture = np.arange(6).reshape(2, 3, 1)
    for a, b, c, d in [(1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
                       (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0)]:  # fmt: skip
        places = {(a * x + c * y, b * x + d * y): picture[y, x, 0] for y in range(2) for x in range(3)}
        left, top = (min(place[axis] for place in places) for axis in (0, 1))
        shown = upright(picture, nearest(np.array([a, b, 0, c, d], np.int32)))
        assert {(x - left, y - top): value for (x, y), value in places.items()} == {
            (x, y): shown[y, x, 0] for y in range(shown.shape[0]) for x in range(shown.shape[1])
        }


@pytest.mark.parametrize(
    ("aspect", "short_side", "expected"),
    [("2/1", 48, (48, 128)), ("1/2", 32, (48, 32)), ("64/45", 48, (48, 91)), ("2/1", None, (48, 128))],
)
def test_pixels_that_are_not_square_are_scaled_where_asked(
    aspect: str, short_side: int | None, expected: tuple[int, int], tmp_path: Path, video: Make, media: Media
):
    path = video(tmp_path / "a.mp4", f"-vf setsar={aspect}", sound=False)
    square = media.model_copy(update={"square_pixels": True})
    read = partial(read_frames, path, fps=10.0, short_side=short_side)
    assert read(square).pixels.shape[1:3] == expected
    stored = (48, 64) if short_side is None else {48: (48, 64), 32: (32, 43)}[short_side]
    assert read(media).pixels.shape[1:3] == stored


def test_square_pixels_stay_as_they_are(tmp_path: Path, video: Make, media: Media):
    path = video(tmp_path / "a.mp4", sound=False)
    first, second = (
        read_frames(path, media.model_copy(update={"square_pixels": square}), fps=10.0, short_side=24).pixels
        for square in (False, True)
    )
    assert first.tobytes() == second.tobytes()


def test_a_picture_turned_and_of_narrow_pixels_has_both_set_right(
    tmp_path: Path, video: Make, ffmpeg: Run, media: Media
):
    path, turned = video(tmp_path / "a.mp4", "-vf setsar=2/1", sound=False), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation 90 -i", path, "-c copy", turned)
    square = media.model_copy(update={"square_pixels": True})
    assert read_frames(turned, square, fps=10.0, short_side=48).pixels.shape[1:3] == (128, 48)
