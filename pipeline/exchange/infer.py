"""Score the actions of videos with the model in this folder.

It needs onnxruntime, av and numpy, and nothing else:

    pip install onnxruntime av numpy
    python infer.py VIDEO [VIDEO ...]      # the five best actions of each, a line of JSON a video
    python infer.py --check                # the reference video must give its expected scores within 1e-4

As a module: `Model(folder).scores(path)` gives one score in [0, 1] an action, in the order of `Model.actions`.
A video is decoded here and now, so open only files that you trust, or run this in a sandbox.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnxruntime
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.reformatter import Interpolation, VideoReformatter

TOLERANCE = 1e-4
"""Largest difference to the expected scores: processors round differently."""
SLACK = 0.002
"""Seconds; containers round times to as little as a millisecond."""
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_FULL_COLOUR = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


class Model:
    """The ONNX model with its preprocessing."""

    def __init__(self, folder: Path) -> None:
        self.how: dict[str, Any] = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        self.actions: list[str] = self.how["actions"]
        self._session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])

    def scores(self, video: Path) -> np.ndarray:
        """One score an action (N, float32), the largest or the mean over the views."""
        pictures, fps = decoded(video, self.how)
        clips = normalized(views(pictures, fps, self.how), self.how)
        batch = self.how["batch"]
        parts = [clips[start : start + batch] for start in range(0, len(clips), batch)]
        found = np.concatenate([self._session.run(["scores"], {"clips": part})[0] for part in parts])
        return np.asarray(found.max(axis=0) if self.how["combine"] == "max" else found.mean(axis=0))


def decoded(video: Path, how: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Upright frames, uint8 L x Y x X x 3, of short side `short_side`, and frames per second."""
    pictures: list[np.ndarray] = []
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        constant = how["timeline"] == "constant"
        fps = how["fps"] if constant else float(stream.average_rate)
        frames = container.decode(stream)
        scaler = VideoReformatter()
        for frame, turn, ticks in _time_line(frames, fps) if constant else _next_frame(frames):
            pictures += [_upright(_scaled(frame, scaler, how), turn)] * ticks
    return np.stack(pictures), fps


def _time_line(frames: Iterator[Any], fps: float) -> Iterator[tuple[Any, Any, int]]:
    """Each displayed frame, its display matrix, and its duration in ticks of 1 / fps seconds."""
    shown, begin, end, ticks, turn = None, 0.0, 0.0, 0, None
    for frame in frames:
        time = frame.time if frame.time is not None else end
        begin = time if shown is None else begin
        due = math.ceil((time - begin - SLACK) * fps) - ticks
        if shown is not None and due > 0:
            yield shown, turn, due
            ticks += due
        turn = _display_matrix(frame) or turn
        shown, end = frame, time + float((frame.duration or 0) * frame.time_base)
    if shown is not None:
        yield shown, turn, max(math.ceil((end - begin - SLACK) * fps) - ticks, 0 if ticks else 1)


def _next_frame(frames: Iterator[Any]) -> Iterator[tuple[Any, Any, int]]:
    turn = None
    for frame in frames:
        turn = _display_matrix(frame) or turn
        yield frame, turn, 1


def _scaled(frame: Any, scaler: VideoReformatter, how: dict[str, Any]) -> np.ndarray:
    short, side = min(frame.height, frame.width), how["short_side"]
    if how["scaling"] == "released":
        long = int(max(frame.height, frame.width) / short * side)
    else:
        long = round(max(frame.height, frame.width) * side / short)
    height, width = (side, long) if frame.height <= frame.width else (long, side)
    if how["scaling"] == "released":  # between the four nearest pixels, after the conversion to RGB
        flags = Interpolation.BILINEAR | Interpolation.BITEXACT
        whole = scaler.reformat(frame, frame.width, frame.height, "rgb24", interpolation=flags, threads=1).to_ndarray()
        return np.asarray(_interpolated(_interpolated(whole, height, 0), width, 1, last=True))
    flags = _EXACT | _FULL_COLOUR
    return np.asarray(scaler.reformat(frame, width, height, "rgb24", interpolation=flags, threads=1).to_ndarray())


def _interpolated(picture: np.ndarray, scaled: int, axis: int, *, last: bool = False) -> np.ndarray:
    size = picture.shape[axis]
    place = np.maximum((np.arange(scaled) + 0.5) * (size / scaled) - 0.5, 0)
    below = place.astype(np.int64)
    part = (place - below).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(3)])
    above = np.minimum(below + 1, size - 1)
    found = picture.take(below, axis) * (1 - part) + picture.take(above, axis) * part
    return np.asarray(np.rint(found).astype(np.uint8) if last else found)


def _display_matrix(frame: av.VideoFrame) -> Any:
    """Of a frame, or None; `frame.side_data` would refer back to the frame, which then stays in memory for long."""
    return SideDataContainer(frame).get(Type.DISPLAYMATRIX)  # type: ignore[call-arg]


def _upright(picture: np.ndarray, turn: Any) -> np.ndarray:
    """An upright picture: by the one of eight rotations and reflections that is nearest to the display matrix."""
    if turn is None:
        return picture
    a, b, _, c, d = np.frombuffer(turn, np.int32, count=5).astype(np.float64)
    if max(abs(a + d), abs(a - d)) < max(abs(b + c), abs(b - c)):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return np.asarray(picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def views(pictures: np.ndarray, fps: float, how: dict[str, Any]) -> np.ndarray:
    """Every view, uint8 V x F x crop x crop x 3: clips evenly spread in time, each cropped along the longer side."""
    crop = how["crop"]
    length, height, width = pictures.shape[:3]
    shown = shown_frames(length, fps, how)
    top, left = -((crop - height) // 2), -((crop - width) // 2)
    corners = [(top, left)]
    if how["spatial_views"] == 3:
        tall = height > width
        corners = [
            (place, left) if tall else (top, place) for place in (0, top if tall else left, max(height, width) - crop)
        ]
    return np.stack([pictures[times, y : y + crop, x : x + crop] for times in shown for y, x in corners])


def shown_frames(length: int, fps: float, how: dict[str, Any]) -> np.ndarray:
    """The frames of each temporal view: of a window, or one of each segment of the video."""
    span, count, times = how["span"] * fps / how["fps"], how["count"], np.arange(how["temporal_views"])
    if how["positions"] == "segments":
        into = (times[:, None] + 0.5) / len(times)
        return np.asarray(np.floor((np.arange(count) + into) * length / count).astype(np.int64))
    if how["positions"] == "linspace":
        within = np.linspace(0, max(span - 1, 0), count).astype(np.int64)
    else:
        within = (np.arange(count) * span // count).astype(np.int64)
    starts = np.ceil((max(length - span, 0) * times / len(times)).round(6)).astype(np.int64)
    return np.asarray(np.minimum(starts[:, None] + within, length - 1))


def normalized(clips: np.ndarray, how: dict[str, Any]) -> np.ndarray:
    """The model's input: float32, B x 3 x F x crop x crop."""
    mean, std = (np.float32(how[name]).reshape(-1, 1, 1, 1) for name in ("mean", "std"))  # of all channels, or of each
    scaled = clips.transpose(0, 4, 1, 2, 3).astype(np.float32) / np.float32(255) - mean
    return np.ascontiguousarray(scaled / std)


def check(model: Model, folder: Path) -> float:
    """The largest difference of the reference video's scores to the expected ones."""
    expected = json.loads((folder / "reference.json").read_text(encoding="utf-8"))["scores"]
    return float(np.abs(model.scores(folder / "reference.mp4") - np.array(expected)).max())


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit status."""
    folder = Path(__file__).resolve().parent
    model = Model(folder)
    if arguments == ["--check"]:
        off = check(model, folder)
        sys.stdout.write(f"the reference video's scores are within {off:.1e} of the expected ones\n")
        return int(off > TOLERANCE)
    for video in arguments:
        scores = model.scores(Path(video))
        best = np.argsort(-scores, kind="stable")[:5]
        sys.stdout.write(
            json.dumps({"video": video, "actions": {model.actions[n]: round(float(scores[n]), 4) for n in best}}) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
