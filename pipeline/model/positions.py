"""Which frames a clip takes: of a span (Section 4.1: 8 frames of 16), or of the whole video, segment by segment."""

import numpy as np

from pipeline.foundations.params import Frames


def positions(frames: Frames) -> np.ndarray:
    """The positions of a clip's frames within its span, `frames.count` integers from 0 that do not fall.

    `linspace` is the released code's: evenly spaced from the first frame to the last and cut to integers, so 0,
    2, 4, 6, 8, 10, 12, 15 for 8 of 16. `stride` is the plain reading: every span / count-th, so 0, 2, ..., 14. Clips of
    `segments` have no span (`segments`).

    Raises:
        ValueError: `frames.positions` is `segments`.
    """
    if frames.positions == "segments":
        raise ValueError("clips of segments have no positions within a span: their frames are those of `segments`")
    if frames.positions == "linspace":
        return np.linspace(0, max(frames.span - 1, 0), frames.count).astype(np.int64)
    return (np.arange(frames.count) * frames.span // frames.count).astype(np.int64)


def segments(length: int, count: int, within: np.ndarray) -> np.ndarray:
    """A frame of each of `count` equal segments of a video of `length` (TSN, Wang et al. 2016), ... x count.

    Args:
        length: of the video; one shorter than `count` shows a frame several times.
        count: of the segments.
        within: ... x count or ... x 1, in [0, 1): where in its segment each frame lies; 0.5, the middle, when testing.
    """
    return np.asarray(np.floor((np.arange(count) + within) * length / count).astype(np.int64))


def segment_views(length: int, count: int, views: int) -> np.ndarray:
    """The frames of `views` clips of segments, views x count: each clip elsewhere within them, a single one midway."""
    return segments(length, count, (np.arange(views)[:, None] + 0.5) / views)


def counted_at(frames: Frames, fps: float) -> Frames:
    """What a clip is, its span counted in the frames of a video of `fps` a second.

    On the constant time line, where videos have `frames.fps`, nothing changes. A clip of 16 frames at 30 fps is one
    of 13.3 at 25: linspace takes 0, 1, 3, 5, 7, 8, 10, 12 of them, as the released code does.
    """
    return frames.model_copy(update={"fps": fps, "span": frames.span * fps / frames.fps})
