"""Pictures whose brightness tells which of the source's frames they are, and the ffmpeg program's own pictures."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from pipeline.foundations.media import frames
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.frames import read_chosen, read_frames
from pipeline.foundations.params import Media

Run = Callable[..., bytes]
Make = Callable[..., Path]
FLAGS = "bilinear+accurate_rnd+bitexact+full_chroma_int+full_chroma_inp"  # in the program's names
STEP = 2  # of brightness from frame to frame


@pytest.fixture
def counting(tmp_path: Path, ffmpeg: Run) -> Callable[..., Path]:
    """A video whose frame n is gray of brightness 20 + 2 n, without loss."""

    def make(rate: str, frames: int, options: str = "", name: str = "counting.mkv") -> Path:
        source = f"-f lavfi -i color=size=16x16:rate={rate},geq=lum={STEP}*N+20:cb=128:cr=128"
        ffmpeg(source, f"-frames:v {frames} -c:v ffv1 -pix_fmt yuv444p", options, tmp_path / name)
        return tmp_path / name

    return make


def numbers(pictures: np.ndarray) -> list[int]:
    """Which of the source's frames the pictures are; 16 to 235 became 0 to 255 on the way to RGB."""
    brightness = pictures.mean((1, 2, 3)) * 219 / 255 + 16
    return [round(value) for value in (brightness - 20) / STEP]


def shown(times: list[float], end: float, fps: float) -> list[int]:
    """The time line, literally: at each tick before the end, the last frame that began by then."""
    ticks = [tick / fps for tick in range(int(end * fps) + 2)]
    return [max(n for n, time in enumerate(times) if time <= tick + 0.002) for tick in ticks if tick < end - 0.002]


@pytest.mark.parametrize("fps", [1.0, 7.5, 10.0, 15.0, 24.0, 25.0, 29.97, 30.0, 60.0, 100.0])
@pytest.mark.parametrize("rate", ["10", "25", "30", "30000/1001", "60"])
def test_each_tick_shows_the_last_frame_that_began_by_then(
    fps: float, rate: str, counting: Callable[..., Path], media: Media
):
    numerator, _, denominator = rate.partition("/")
    spacing = int(denominator or 1) / int(numerator)
    pictures = read_frames(counting(rate, 30), media, fps=fps, short_side=16).pixels
    assert numbers(pictures) == shown([n * spacing for n in range(30)], 30 * spacing, fps)


def test_at_its_own_rate_every_frame_comes_once(counting: Callable[..., Path], media: Media):
    assert numbers(read_frames(counting("30", 90), media, fps=30.0, short_side=16).pixels) == list(range(90))


@pytest.mark.parametrize("rate", ["10", "25", "30000/1001", "60"])
def test_its_own_frames_come_once_at_any_rate_which_is_told(rate: str, counting: Callable[..., Path], media: Media):
    numerator, _, denominator = rate.partition("/")
    pictures = read_frames(counting(rate, 30), media, fps=None, short_side=16)
    assert numbers(pictures.pixels) == list(range(30))
    assert pictures.fps == pytest.approx(int(numerator) / int(denominator or 1), rel=1e-3)


def test_its_own_frames_end_at_the_bound_too(counting: Callable[..., Path], media: Media):
    short = media.model_copy(update={"max_seconds": 1.0})
    assert numbers(read_frames(counting("10", 30), short, fps=None, short_side=16).pixels) == list(range(10))


def test_a_variable_rate_is_put_on_the_time_line(counting: Callable[..., Path], media: Media):
    kept = [0, 1, 2, 3, 4, 6, 9, 12, 15, 18, 21, 24, 27]
    options = r"-vf select=lt(n\\,5)+not(mod(n\\,3)) -fps_mode vfr"
    path = counting("10", 29, options.replace(r"\\", "\\\\"), "variable.mp4")
    found = numbers(read_frames(path, media, fps=10.0, short_side=16).pixels)
    expected = [max(number for number in kept if number <= tick) for tick in range(28)]
    assert found[:28] == expected


def test_the_line_starts_with_the_first_picture_wherever_that_is(
    counting: Callable[..., Path], ffmpeg: Run, media: Media
):
    path = counting("10", 10)
    late = path.with_name("late.mkv")
    ffmpeg("-itsoffset 7.3 -i", path, "-c copy", late)
    assert numbers(read_frames(late, media, fps=10.0, short_side=16).pixels) == list(range(10))


def test_one_picture_is_one_picture(counting: Callable[..., Path], media: Media):
    assert numbers(read_frames(counting("30", 1), media, fps=30.0, short_side=16).pixels) == [0]
    assert numbers(read_frames(counting("30", 1), media, fps=1.0, short_side=16).pixels) == [0]


def test_pictures_of_an_avi_with_b_frames_come_in_order(counting: Callable[..., Path], media: Media):
    path = counting("10", 40, "-c:v mpeg4 -q:v 1 -bf 2 -pix_fmt yuv420p", "b_frames.avi")
    found = numbers(read_frames(path, media, fps=10.0, short_side=16).pixels)
    assert found == sorted(found)
    assert set(found) >= set(range(1, 38))


@pytest.mark.parametrize(
    ("source", "short_side", "expected"),
    [
        ("64x48", 48, (48, 64)),
        ("64x48", 24, (24, 32)),
        ("48x64", 24, (32, 24)),
        ("64x64", 100, (100, 100)),
        ("340x256", 128, (128, 170)),
        ("98x50", 25, (25, 49)),
        ("90x30", 20, (20, 60)),
    ],
)
def test_the_short_side_is_as_asked_and_the_aspect_is_kept(
    source: str, short_side: int, expected: tuple[int, int], tmp_path: Path, video: Make, media: Media
):
    pictures = read_frames(
        video(tmp_path / "a.mp4", picture=source, sound=False), media, fps=10.0, short_side=short_side
    ).pixels
    assert pictures.dtype == np.uint8
    assert pictures.shape == (10, *expected, 3)
    assert pictures.flags.c_contiguous


@pytest.mark.parametrize(("colour", "rgb"), [("red", (255, 0, 0)), ("lime", (0, 255, 0)), ("blue", (0, 0, 255))])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p10le"])
def test_colours_are_what_they_are(
    colour: str, rgb: tuple[int, int, int], pix_fmt: str, tmp_path: Path, ffmpeg: Run, media: Media
):
    ffmpeg(f"-f lavfi -i color={colour}:size=32x32:duration=0.2 -c:v libx264 -pix_fmt {pix_fmt}", tmp_path / "a.mp4")
    pictures = read_frames(tmp_path / "a.mp4", media, fps=25.0, short_side=32).pixels
    np.testing.assert_allclose(pictures.mean((0, 1, 2)), rgb, atol=4)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_pictures_are_turned_as_the_ffmpeg_program_turns_them(
    angle: int, tmp_path: Path, video: Make, ffmpeg: Run, media: Media
):
    path, turned = video(tmp_path / "a.mp4", sound=False), tmp_path / "turned.mp4"
    ffmpeg(f"-display_rotation {angle} -i", path, "-c copy", turned)
    pictures = read_frames(turned, media, fps=10.0, short_side=48).pixels
    raw = ffmpeg("-i", turned, "-f rawvideo -pix_fmt rgb24 -")
    expected = np.frombuffer(raw, np.uint8).reshape(10, *((64, 48) if angle % 180 else (48, 64)), 3)
    assert pictures.shape == expected.shape
    assert np.abs(pictures.astype(int) - expected).mean() < 10  # the edges' colours, which each rounds its own way
    assert np.abs(pictures[:, ::-1, ::-1].astype(int) - expected).mean() > 40


def test_pictures_are_scaled_as_the_ffmpeg_program_scales_them(tmp_path: Path, video: Make, ffmpeg: Run, media: Media):
    path = video(tmp_path / "a.mp4", picture="340x256", sound=False)
    raw = ffmpeg("-i", path, f"-vf scale=170:128:flags={FLAGS} -f rawvideo -pix_fmt rgb24 -")
    expected = np.frombuffer(raw, np.uint8).reshape(10, 128, 170, 3)
    pictures = read_frames(path, media, fps=10.0, short_side=128).pixels
    assert np.abs(pictures.astype(int) - expected).mean() < 2  # saturated colours, whose places the program shifts


def test_the_released_way_is_pyavs_picture_scaled_by_pytorch(tmp_path: Path, video: Make, media: Media):
    """Conversion to RGB first, at the picture's own size; the long side cut to whole pixels."""
    path = video(tmp_path / "a.mp4", picture="320x240", sound=False)
    with av.open(str(path)) as container:
        whole = [torch.from_numpy(frame.to_rgb().to_ndarray()) for frame in container.decode(video=0)]
    planes = torch.stack(whole).permute(0, 3, 1, 2).float()
    expected = torch.nn.functional.interpolate(planes, size=(128, 170), mode="bilinear").permute(0, 2, 3, 1).numpy()
    pictures = read_frames(path, media, fps=None, short_side=128, scaling="released").pixels
    assert np.abs(pictures - expected).max() <= 0.51  # rounded


@pytest.mark.parametrize("scaling", ["antialiased", "released"])
def test_pictures_that_change_their_shape_on_the_way_are_scaled_as_the_ffmpeg_program_scales_them(
    scaling: str, tmp_path: Path, video: Make, ffmpeg: Run, media: Media
):
    joined = tmp_path / "joined.h264"
    with joined.open("wb") as file:
        for size in ("96x64", "64x96"):
            file.write(video(tmp_path / f"{size}.h264", sound=False, picture=size).read_bytes())
    ffmpeg("-r 10 -i", joined, "-c copy", tmp_path / "a.mkv")
    raw = ffmpeg("-i", tmp_path / "a.mkv", "-f rawvideo -pix_fmt rgb24 -")
    expected = np.frombuffer(raw, np.uint8).reshape(20, 64, 96, 3)
    pictures = read_frames(tmp_path / "a.mkv", media, fps=10.0, short_side=64, scaling=scaling).pixels
    assert pictures.shape == expected.shape
    difference = np.abs(pictures.astype(int) - expected).mean((1, 2, 3))
    assert difference[:10].max() < 10  # the edges' colours, which each rounds its own way
    assert difference[10:].max() < 20  # and these were enlarged, by bicubic filters in the program


def test_pictures_may_stay_as_large_as_they_are(tmp_path: Path, video: Make, media: Media):
    path = video(tmp_path / "a.mp4", picture="98x50", sound=False)
    assert read_frames(path, media, fps=10.0, short_side=None).pixels.shape == (10, 50, 98, 3)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path, video: Make, media: Media):
    path = video(tmp_path / "a.mp4")
    first, second = (read_frames(path, media, fps=30.0, short_side=32).pixels for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_the_line_ends_at_the_bound(counting: Callable[..., Path], media: Media):
    short = media.model_copy(update={"max_seconds": 1.0})
    assert numbers(read_frames(counting("10", 30), short, fps=10.0, short_side=16).pixels) == list(range(10))


def test_pictures_larger_than_the_bound_are_refused(tmp_path: Path, video: Make, media: Media):
    path = video(tmp_path / "a.mp4", sound=False)
    enough = media.model_copy(update={"max_pixels": 64 * 48})
    assert len(read_frames(path, enough, fps=10.0, short_side=48).pixels) == 10
    with pytest.raises(Undecodable, match=r"declares no picture size, or one beyond media\.max_pixels 3,071"):
        read_frames(path, media.model_copy(update={"max_pixels": 64 * 48 - 1}), fps=10.0, short_side=48)


def test_pictures_that_grow_on_the_way_do_not_get_round_the_bound(
    tmp_path: Path, video: Make, ffmpeg: Run, media: Media
):
    joined = tmp_path / "joined.h264"
    with joined.open("wb") as file:
        for size in ("64x48", "640x480"):
            file.write(video(tmp_path / f"{size}.h264", picture=size, sound=False).read_bytes())
    ffmpeg("-r 10 -i", joined, "-c copy", tmp_path / "joined.mkv")
    with pytest.raises(Undecodable, match=r"damaged: 10 of 20 packets cannot be decoded"):
        read_frames(tmp_path / "joined.mkv", media.model_copy(update={"max_pixels": 64 * 48}), fps=10.0, short_side=48)


def test_more_pictures_than_memory_allows_are_refused(counting: Callable[..., Path], media: Media):
    small = media.model_copy(update={"memory_mb": 4})
    assert read_frames(counting("10", 10), small, fps=10.0, short_side=128).pixels.nbytes == 10 * 128 * 128 * 3
    with pytest.raises(Undecodable, match="more than 1 MB of pictures at 30 fps and short side 128, a quarter of"):
        read_frames(counting("10", 10), small, fps=30.0, short_side=128)


def asked(length: int, rate: float) -> np.ndarray:
    return np.array([[length - 1, 0], [3, int(rate)]])


@pytest.mark.parametrize("memory_mb", [512, 2])
def test_chosen_pictures_are_those_of_the_whole_video_held_or_counted_first(
    counting: Callable[..., Path], media: Media, memory_mb: int
):
    """Of 90 pictures of 12 kB, half a megabyte holds forty."""
    tight, how = media.model_copy(update={"memory_mb": memory_mb}), {"fps": 30.0, "short_side": 64}
    found = read_chosen(counting("10", 30), tight, **how, scaling="antialiased", choose=asked)
    whole = read_frames(counting("10", 30), media, **how)
    assert (found.fps, found.pixels.shape[0]) == (whole.fps, 4)
    assert (found.pixels[found.places] == whole.pixels[asked(90, 30.0)]).all()


def test_after_the_last_chosen_picture_nothing_is_decoded_again(
    counting: Callable[..., Path], media: Media, monkeypatch: pytest.MonkeyPatch
):
    """Pictures that half a megabyte cannot hold are counted, all 90; then the first six show the first five."""
    tight, decode, seen = media.model_copy(update={"memory_mb": 2}), frames.decode, []

    def watched(*args):
        for frame in decode(*args):
            seen.append(frame.pts)
            yield frame

    monkeypatch.setattr(frames, "decode", watched)
    read_chosen(
        counting("10", 90), tight, fps=10.0, short_side=64, scaling="antialiased",
        choose=lambda length, _: np.array([[0, 4]]),
    )  # fmt: skip
    assert len(seen) == 90 + 6


def test_more_chosen_pictures_than_memory_allows_are_refused(counting: Callable[..., Path], media: Media):
    small = media.model_copy(update={"memory_mb": 1})
    with pytest.raises(Undecodable, match=r"more than 0 MB of chosen pictures, a quarter of media\.memory_mb"):
        read_chosen(
            counting("10", 30), small, fps=30.0, short_side=64, scaling="antialiased",
            choose=lambda length, _: np.arange(length)[None],
        )  # fmt: skip


REAL = {  # frames per second, frames; counted with `ffmpeg -fps_mode passthrough -f null`
    "R6llTwEh07w.mp4": (30.0, 303),
    "RATRACE_wave_f_nm_np1_fr_goo_37.avi": (30.0, 72),
    "bigbuckbunny.mp4": (25.0, 132),
    "bikes.mp4": (25.0, 250),
    "boat.mp4": (30_000 / 1001, 181),
    "demo.mp4": (28.0, 280),
    "dog_barking.mp4": (24.0, 170),
    "flipping_a_pancake.mkv": (30.0, 310),
    "hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi": (30.0, 83),
    "test.avi": (25.0, 164),
}


@pytest.mark.parametrize("name", REAL)
def test_real_clips_have_as_many_pictures_as_the_ffmpeg_program_counts(name: str, real_clips: Path, media: Media):
    fps, frames = REAL[name]
    assert len(read_frames(real_clips / name, media, fps=fps, short_side=32).pixels) == frames


@pytest.mark.parametrize("name", ["bikes.mp4", "test.avi", "flipping_a_pancake.mkv"])
def test_real_clips_look_as_the_ffmpeg_program_sees_them(name: str, real_clips: Path, ffmpeg: Run, media: Media):
    pictures = read_frames(real_clips / name, media, fps=REAL[name][0], short_side=64).pixels
    height, width = pictures.shape[1:3]
    scale = f"-vf scale={width}:{height}:flags={FLAGS} -fps_mode passthrough"
    expected = np.frombuffer(ffmpeg("-i", real_clips / name, scale, "-f rawvideo -pix_fmt rgb24 -"), np.uint8)
    assert np.abs(pictures.astype(int) - expected.reshape(pictures.shape)).mean() < 2
