"""The hostile corpus: one maker for each kind of trouble, with the names that the table of verdicts uses."""

import io
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.foundations.media.guard import Guard
from pipeline.foundations.runtime.memory import peak_mb

Run = Callable[..., bytes]
Make = Callable[..., Path]


@pytest.fixture
def decoder_peak(guard: Guard) -> Callable[[], float]:
    """What the decoding process held at most, in megabytes; 0 where it has ended.

    Not `ru_maxrss`: that starts from what the process that started it held, and so grows with the test run.
    """

    def peak() -> float:
        process = guard.process()
        return peak_mb(process) if process else 0.0

    return peak


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, video: Make, ffmpeg: Run) -> Path:
    """A folder of hostile, damaged and odd files; beside it, in `other`, what none of them may lead to."""
    root = tmp_path_factory.mktemp("hostile")
    folder, other = root / "videos", root / "other"
    folder.mkdir()
    other.mkdir()
    secret = video(other / "secret.mp4", "-movflags faststart", seconds=3)
    _no_videos(folder, secret)
    _cut(folder, video, secret.read_bytes())
    _streams(folder, video, ffmpeg)
    _sounds(folder, video, ffmpeg)
    _pictures(folder, video, ffmpeg)
    _times(folder, video, ffmpeg, secret.read_bytes())
    _names(folder, secret.read_bytes())
    _places(folder, secret)
    return folder


def _no_videos(folder: Path, secret: Path) -> None:
    noise = np.random.default_rng(0).bytes(20_000)
    picture, archive = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(picture, "JPEG")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("a.mp4"), secret.read_bytes())  # of 1980, not now: the verdict shows those bytes
    contents: dict[str, bytes] = {
        "empty": b"",
        "one_byte": b"\0",
        "zeros": bytes(20_000),
        "random": noise,
        "text": b"Once upon a time, in a data set far away\n" * 200,
        "html": b"<!DOCTYPE html><html><body>404: Not Found</body></html>",
        "jpeg": picture.getvalue(),
        "zip": archive.getvalue(),
        "elf": b"\x7fELF\2\1\1" + noise,
        "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n%b\n#EXT-X-ENDLIST\n" % bytes(secret),
        "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        b"<Representation><BaseURL>%b</BaseURL></Representation></AdaptationSet></Period></MPD>" % bytes(secret),
        "ffconcat": b"ffconcat version 1.0\nfile '%b'\n" % bytes(secret),
        "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
        "webvtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n",
    }
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_bytes(content)


def _cut(folder: Path, video: Make, first: bytes) -> None:
    last = video(folder / "index_last.mp4", seconds=3).read_bytes()
    matroska = video(folder / "matroska_named.mp4", "-f matroska", seconds=3).read_bytes()
    avi = video(folder / "good.avi", "-c:v mpeg4 -c:a mp2", seconds=3).read_bytes()
    for percent in (2, 25, 50, 75):
        for name, whole in (
            (f"index_last_{percent}.mp4", last),
            (f"index_first_{percent}.mp4", first),
            (f"matroska_{percent}.mkv", matroska),
            (f"avi_{percent}.avi", avi),
        ):
            (folder / name).write_bytes(whole[: len(whole) * percent // 100])
    (folder / "index_first_99.mp4").write_bytes(first[: len(first) * 99 // 100])
    fragments = video(folder / "fragments.mp4", "-movflags frag_keyframe+empty_moov", seconds=3).read_bytes()
    (folder / "fragments_50.mp4").write_bytes(fragments[: len(fragments) // 2])
    data = first.index(b"mdat") + 4
    (folder / "index_only.mp4").write_bytes(first[: data - 8])
    (folder / "data_zeroed.mp4").write_bytes(first[:data] + bytes(len(first) - data))
    (folder / "data_noise.mp4").write_bytes(first[:data] + np.random.default_rng(0).bytes(len(first) - data))
    (folder / "trailing_junk.mp4").write_bytes(first + b"junk" * 10_000)
    (folder / "leading_junk.mp4").write_bytes(b"junk" * 100 + first)
    (folder / "mp4_named.avi").write_bytes(first)
    (folder / "no_extension").write_bytes(first)


def _streams(folder: Path, video: Make, ffmpeg: Run) -> None:
    sound = video(folder / "sound_only.mp4", picture=None)
    pictures = video(folder / "pictures_only.mp4", sound=False)
    cover, text = folder.parent / "cover.png", folder.parent / "text.srt"
    ffmpeg("-f lavfi -i color=size=64x48 -frames:v 1", cover)
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n", encoding="utf-8")
    both = "-map 0 -map 1 -c copy"
    ffmpeg("-i", sound, "-i", cover, both, "-disposition:v attached_pic", folder / "attached_picture.mp4")
    ffmpeg("-i", pictures, "-i", text, both, "-c:s mov_text", folder / "subtitles.mp4")
    tones = "-f lavfi -i sine=frequency=440:duration=1 -f lavfi -i sine=frequency=2000:duration=1"
    second = "-map 0 -map 1 -map 2 -c:v copy -disposition:a:0 0 -disposition:a:1 default"
    ffmpeg(tones, "-i", pictures, second, folder / "two_tracks.mp4")
    attach = "-metadata:s:t mimetype=application/x -c copy"
    ffmpeg("-i", folder / "index_last.mp4", "-attach", cover, attach, folder / "attachment.mkv")
    video(folder / "foreign_sound.mkv", "-c:a g723_1 -ar 8000 -ac 1")
    video(folder / "foreign_pictures.avi", "-c:v snow -strict -2")


def _sounds(folder: Path, video: Make, ffmpeg: Run) -> None:
    options = {
        "surround.mp4": "-ac 6",
        "8_khz.mp4": "-ar 8000",
        "96_khz.mkv": "-ar 96000 -c:a flac",
        "planar.mp4": "-c:a alac",
        "float.mov": "-c:a pcm_f32le",
        "unsigned.avi": "-c:a pcm_u8",
        "sixteen_channels.mov": "-ac 16 -c:a pcm_s16le",
        "opus.mkv": "-c:a libopus",
        "vorbis.mkv": "-c:a libvorbis",
        "mp3.avi": "-c:a libmp3lame",
        "ac3.mkv": "-c:a ac3",
    }
    for name, option in options.items():
        video(folder / name, option)
    joined = folder.parent / "joined.ac3"
    for rate, channels in ((44_100, 1), (48_000, 2)):
        part = folder.parent / f"{rate}.ac3"
        ffmpeg(f"-f lavfi -i sine=sample_rate={rate}:duration=1 -ac {channels}", part)
        with joined.open("ab") as file:
            file.write(part.read_bytes())
    ffmpeg("-i", joined, "-c copy", folder / "changing_sound.mkv")
    unsigned = (folder / "unsigned.avi").read_bytes()
    header = unsigned.index(b"strf", unsigned.index(b"auds")) + 8
    for name, start, value in (
        ("1_hz.avi", header + 4, struct.pack("<I", 1)),
        ("2_ghz.avi", header + 4, struct.pack("<I", 2**31 - 1)),
        ("no_channels.avi", header + 2, struct.pack("<H", 0)),
        ("65535_channels.avi", header + 2, struct.pack("<H", 65_535)),
    ):
        (folder / name).write_bytes(unsigned[:start] + value + unsigned[start + len(value) :])


def _pictures(folder: Path, video: Make, ffmpeg: Run) -> None:
    options = {
        "odd_size.mkv": "-vf scale=65:49 -pix_fmt yuv444p",
        "one_pixel.mkv": "-c:v ffv1 -vf scale=1:1 -pix_fmt yuv444p",
        "ribbon.mkv": "-c:v ffv1 -vf scale=15000:2 -pix_fmt yuv444p",
        "interlaced.mp4": "-flags +ilme+ildct -x264opts interlaced=1",
        "10_bit.mp4": "-pix_fmt yuv420p10le",
        "gray.mp4": "-pix_fmt gray",
        "transparent.mov": "-c:v png -pix_fmt rgba",
        "vp9.webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
        "av1.mp4": "-c:v libaom-av1 -usage realtime -cpu-used 8",
        "hevc.mp4": "-c:v libx265 -preset ultrafast -x265-params log-level=none",
        "mpeg4.mp4": "-c:v mpeg4",
        "mjpeg.avi": "-c:v mjpeg",
        "raw.avi": "-c:v rawvideo",
    }
    for name, option in options.items():
        video(folder / name, option)
    for angle in (90, 180):
        ffmpeg(f"-display_rotation {angle} -i", folder / "index_last.mp4", "-c copy", folder / f"rotated_{angle}.mp4")
    joined = folder.parent / "joined.h264"
    with joined.open("wb") as file:
        for size in ("96x48", "64x48"):
            file.write(video(folder.parent / f"{size}.h264", sound=False, picture=size).read_bytes())
    ffmpeg("-r 10 -i", joined, "-c copy", folder / "changing_size.mkv")
    motion = (folder / "mjpeg.avi").read_bytes()
    lying = _patched(motion, b"\xff\xc0\x00\x11\x08", 5, struct.pack(">HH", 16_000, 16_000))
    (folder / "16000_in_picture.avi").write_bytes(lying)
    (folder / "16000.avi").write_bytes(_patched(lying, b"strf", 12, struct.pack("<II", 16_000, 16_000), times=1))
    still = _patched((folder / "transparent.mov").read_bytes(), b"IHDR", 4, struct.pack(">II", 16_000, 16_000))
    start = still.index(b"IHDR")
    checksum = struct.pack(">I", zlib.crc32(still[start : start + 17]))
    (folder / "16000_in_png.mov").write_bytes(_patched(still, b"IHDR", 17, checksum))


def _times(folder: Path, video: Make, ffmpeg: Run, whole: bytes) -> None:
    short = video(folder / "three_frames.mkv", seconds=0.3).read_bytes()
    durations = {"hour": 3_600_000.0, "nan": float("nan"), "infinite": float("inf"), "negative": -1.0}
    for name, duration in durations.items():
        content = _patched(short, b"\x44\x89\x88", 3, struct.pack(">d", duration))
        (folder / f"{name}_in_header.mkv").write_bytes(content)
    for name, tag, offset, value in (
        ("hour_in_header", b"mvhd", 20, 3_600_000),
        ("no_frame_rate", b"stts", 16, 0),
        ("years_a_frame", b"stts", 16, 2**31 - 1),
        ("no_time_scale", b"mdhd", 16, 0),
        ("absurd_time_scale", b"mdhd", 16, 2**32 - 1),
    ):
        (folder / f"{name}.mp4").write_bytes(_patched(whole, tag, offset, struct.pack(">I", value)))
    picture = "-f lavfi -i testsrc2=size=64x48:rate={}:duration={} -c:v libx264"
    apart = "-vf setpts=if(eq(N\\\\,2)\\\\,1800\\\\,N)/TB -fps_mode passthrough"
    ffmpeg(picture.format(10, 0.3), apart, folder / "half_an_hour_between.mkv")
    ffmpeg(picture.format(100_000, 0.0003), "-video_track_timescale 100000", folder / "100000_fps.mp4")
    thinned = "-vf select=lt(n\\\\,5)+not(mod(n\\\\,3)) -fps_mode vfr"
    video(folder / "variable_rate.mp4", thinned, seconds=3)
    source = folder / "index_last.mp4"
    ffmpeg("-itsoffset -0.5 -i", source, "-c copy -avoid_negative_ts disabled", folder / "negative_start.mkv")
    for name in ("late_start.mp4", "late_start.mkv"):
        ffmpeg("-itsoffset 10 -i", source, "-c copy", folder / name)
    ffmpeg("-ss 1.25 -i", source, "-c copy", folder / "edit_list.mp4")
    (folder / "live.mkv").write_bytes(ffmpeg("-i", source, "-c copy -f matroska -"))
    (folder / "metadata.mp4").write_bytes(_patched(whole, b"Lavf", 0, b"\xd3\xff\xfe\x80"))


def _patched(content: bytes, tag: bytes, offset: int, value: bytes, *, times: int = -1) -> bytes:
    """Overwrite bytes at `offset` from the start of each `tag`, or of the first few."""
    assert tag in content
    start = -1
    while times and (start := content.find(tag, start + 1)) >= 0:
        content = content[: start + offset] + value + content[start + offset + len(value) :]
        times -= 1
    return content


def _names(folder: Path, whole: bytes) -> None:
    for name in (
        b"two words.mp4",
        b'it\'s "quoted" `$(touch x)`.mp4',
        b"line\nfeed.mp4",
        b"-i.mp4",
        "äöü 映画 🎬.mp4".encode(),
        b"caf\xe9.mp4",
        b"x" * 251 + b".mp4",
        b"%03d.mp4",
        b"concat:index_last.mp4|good.avi",
        b"subfile,,start,0,end,0,,:index_last.mp4",
        b"pipe:0",
        b"http:example.mp4",
    ):
        (folder / os.fsdecode(name)).write_bytes(whole)


def _places(folder: Path, secret: Path) -> None:
    (folder / "link_out.mp4").symlink_to(secret)
    (folder / "link_inside.mp4").symlink_to(folder / "index_last.mp4")
    (folder / "link_to_nothing.mp4").symlink_to(folder / "absent.mp4")
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    here = Path.cwd()
    os.chdir(folder)  # the whole path of a socket may have 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.mp4")
    os.chdir(here)
