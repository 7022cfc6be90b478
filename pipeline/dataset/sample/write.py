"""Encodes frames and sound as H.264 and AAC in MP4, the same bytes on every x86-64 processor.

Frames come as yuv420p, so that no scaler touches them; x264 runs on one thread and takes no decision by the
processor; the AAC encoder's float code, which differs between SSE, AVX and FMA, is held to its plain C path by
`-cpuflags 0`; the container carries no version and no time.
"""

from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg
import numpy as np

from pipeline.foundations.runtime.errors import PlainError

VIDEO: dict[str, Any] = {
    "vcodec": "libx264",
    "preset": "veryfast",
    "crf": 22,
    "x264-params": "threads=1:cpu-independent=1",
    "flags:v": "+bitexact",
}
AUDIO: dict[str, Any] = {"acodec": "aac", "aac_coder": "fast", "audio_bitrate": "96k", "flags:a": "+bitexact"}
FILE: dict[str, Any] = {"format": "mp4", "fflags": "+bitexact", "map_metadata": -1, "threads": 1}


def write_video(
    path: Path, frames: np.ndarray, *, size: tuple[int, int], fps: int, sound: np.ndarray | None, rate: int
) -> None:
    """Encode a video file at `path`.

    Args:
        path: of the MP4 file; an existing one is replaced.
        frames: uint8, T x (H x W x 3 / 2): the planes Y, U and V of each yuv420p frame, one after the other.
        size: (W, H) in pixels, both even.
        fps: frames a second.
        sound: int16 of shape (S,), mono; None for no audio stream.
        rate: samples a second.

    Raises:
        PlainError: ffmpeg refuses; the message carries its last words.
    """
    width, height = size
    picture = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="yuv420p", s=f"{width}x{height}", framerate=fps)
    raw = path.with_suffix(".s16le")
    try:
        if sound is None:
            output = ffmpeg.output(picture, str(path), **VIDEO, **FILE)
        else:
            raw.write_bytes(sound.astype("<i2").tobytes())
            track = ffmpeg.input(str(raw), format="s16le", ar=rate, ac=1)
            output = ffmpeg.output(picture, track, str(path), **VIDEO, **AUDIO, **FILE)
        quiet = output.global_args("-loglevel", "error", "-nostdin", "-cpuflags", "0")
        quiet.run(
            cmd=imageio_ffmpeg.get_ffmpeg_exe(), input=frames.tobytes(), capture_stderr=True, overwrite_output=True
        )
    except ffmpeg.Error as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise PlainError(f"{path}: ffmpeg cannot write it: {' '.join(last)}") from error
    finally:
        raw.unlink(missing_ok=True)
