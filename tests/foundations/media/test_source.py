from collections.abc import Callable
from io import FileIO
from pathlib import Path

import av
import pytest

from pipeline.foundations.media import source
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.media.source import DECODERS, decode, open_regular, opened
from pipeline.foundations.params import Media

Run = Callable[..., bytes]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, video: Make) -> Path:
    return video(tmp_path_factory.mktemp("source") / "whole.mp4", "-movflags faststart", seconds=3)


def test_a_regular_file_is_opened_for_reading_and_closed(whole: Path):
    with open_regular(whole) as file:
        assert file.read() == whole.read_bytes()
    assert file.closed


def test_a_file_that_is_swapped_while_it_is_opened_is_refused(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = tmp_path / "other.mp4"
    other.write_bytes(b"secret")
    opened_first = source.os.open
    monkeypatch.setattr(source.os, "open", lambda path, flags: opened_first(other, flags))
    with pytest.raises(Undecodable, match="replaced while it was opened"), open_regular(whole):
        pass


def test_a_link_that_is_swapped_in_is_not_followed(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    link = tmp_path / "link.mp4"
    link.symlink_to(whole)
    monkeypatch.setattr(source.os, "lstat", source.os.stat)  # what the first look saw, when it was no link yet
    with pytest.raises(Undecodable, match="cannot be opened: too many levels of symbolic links"), open_regular(link):
        pass


def test_the_folder_of_a_data_set_may_be_a_link(whole: Path, tmp_path: Path):
    (tmp_path / "videos").symlink_to(whole.parent)
    with open_regular(tmp_path / "videos" / whole.name) as file:
        assert file.read(8)[4:] == b"ftyp"


def test_a_demuxer_may_not_open_a_second_file_even_where_it_is_allowed_to_run(
    whole: Path, tmp_path: Path, ffmpeg: Run, monkeypatch: pytest.MonkeyPatch
):
    part, playlist = tmp_path / "part.ts", tmp_path / "list.m3u8"
    ffmpeg("-i", whole, "-f mpegts", part)
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{part}\n#EXT-X-ENDLIST\n")
    monkeypatch.setattr(source, "CONTAINERS", "hls,mpegts")
    with FileIO(playlist) as file, pytest.raises(Undecodable, match=r"tries to open another file: .*part\.ts"):
        source._open_container(file, {})


def test_reading_sound_starts_no_decoder_of_pictures(whole: Path, media: Media):
    with opened(whole, media, "audio") as (container, stream):
        assert stream.type == "audio"
        pictures = container.streams.video[0]
        assert pictures.codec_context.pix_fmt is None  # only a decoder could tell
    with opened(whole, media, "video") as (_, stream):
        assert stream.codec_context.pix_fmt == "yuv420p"


def test_the_listed_decoders_exist_and_are_of_their_kind():
    for kind, names in DECODERS.items():
        assert list(names) == sorted(set(names))
        assert {av.Codec(name, "r").type for name in names} == {kind}


def test_no_sound_and_no_pictures_are_told_apart(tmp_path: Path, video: Make, media: Media):
    with pytest.raises(NoAudioStream), opened(video(tmp_path / "a.mp4", sound=False), media, "audio"):
        pass
    with (
        pytest.raises(Undecodable, match="no video stream"),
        opened(video(tmp_path / "b.mp4", picture=None), media, "video"),
    ):
        pass


def test_an_error_of_ffmpeg_in_the_block_leaves_it_as_undecodable(whole: Path, media: Media):
    with pytest.raises(Undecodable, match="cannot be decoded: invalid argument"), opened(whole, media, "audio"):
        raise av.error.ArgumentError(22, "Invalid argument")


def test_running_out_of_memory_is_not_taken_for_a_fault_of_the_file(whole: Path, media: Media):
    with pytest.raises(MemoryError), opened(whole, media, "audio"):
        raise av.error.MemoryError(12, "Cannot allocate memory")


@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("percent", range(5, 100, 5))
def test_a_file_cut_off_anywhere_is_truncated_or_nearly_whole(
    kind: str, percent: int, whole: Path, tmp_path: Path, media: Media
):
    content = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: len(content) * percent // 100])
    if percent > 80:
        with opened(cut, media, kind) as (container, stream):
            seconds = sum(frame.duration * frame.time_base for frame in decode(container, stream))
        assert seconds >= 0.9 * 3 - 0.25
    else:
        with (
            pytest.raises(Undecodable, match=r"truncated: holds |MP4 without a readable index"),
            opened(cut, media, kind) as (container, stream),
        ):
            list(decode(container, stream))


@pytest.mark.parametrize(("broken", "fate"), [(2, "skipped"), (10, "damaged")])
def test_a_few_broken_packets_are_skipped_and_many_are_damage(
    broken: int, fate: str, tmp_path: Path, video: Make, media: Media
):
    path = video(tmp_path / "tone.mp4", "-movflags faststart", picture=None, seconds=1)
    with opened(path, media, "audio") as (container, stream):
        frames = len(list(decode(container, stream)))
    with av.open(path) as container:
        packets = [packet for packet in container.demux() if packet.size]
        content = bytearray(path.read_bytes())
        for packet in packets[10 : 10 + broken]:
            content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(content)
    with opened(path, media, "audio") as (container, stream):
        if fate == "skipped":
            assert len(list(decode(container, stream))) == frames - broken
        else:
            with pytest.raises(Undecodable, match=f"damaged: {broken} of {len(packets)} packets cannot be decoded"):
                list(decode(container, stream))


@pytest.mark.parametrize("name", ["a.ts", "a.m2ts"])
def test_a_transport_stream_under_another_name_is_named(name: str, tmp_path: Path, video: Make, media: Media):
    path = video(tmp_path / name).rename(tmp_path / "named.mp4")
    with pytest.raises(Undecodable, match=r"^an MPEG transport stream, which is not read: `ffmpeg -i FILE -c copy"):
        read_frames(path, media, fps=10.0, short_side=48)


def test_a_picture_of_cinemas_4k_is_refused_by_the_name_of_the_bound(tmp_path: Path, video: Make, media: Media):
    path = video(tmp_path / "a.mp4", picture="4096x2160", seconds=0.1, sound=False)
    with pytest.raises(Undecodable, match=r"or one beyond media\.max_pixels 8,294,400 \(4096 x 2160 are 8,847,360\)$"):
        read_frames(path, media, fps=10.0, short_side=48)
    enough = media.model_copy(update={"max_pixels": 8_847_360})
    assert read_frames(path, enough, fps=10.0, short_side=48).pixels.shape == (1, 48, 91, 3)
