"""Small videos with sound for the report: some scored ones, and for each action one whose sound is its audio form.

They are encoded from decoded frames and samples, so that the page never contains untrusted files. With each goes a
picture of VGGish's input, the log-mel of its three patches.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path

import av
import matplotlib as mpl
import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.audio.logmel import OFFSET, PATCH_FRAMES, RATE, log_mel, samples_for
from pipeline.dataset.sample.write import write_video
from pipeline.evaluate.testing import Video, pictures_of
from pipeline.foundations.media import unchanged
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.scaling import FLAGS
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.params import Frames, Media
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables

SCORED, LENDING = 48, 48
"""Videos of either kind at most; a page with all of them stays far below 15 MB."""
FULL_SCALE = 32767
LOUDEST = 2.0
"""Log-mel of the brightest colour; silence, log(0.01), has the darkest."""
COLOURS = "magma"
GAP = 2
"""Pixels between two patches."""


def choose_scored(predictions: pa.Table, first: Sequence[str], count: int = SCORED) -> list[str]:
    """Which scored videos to show: drawn ones; then, action by action, best and worst of its own, best of others.

    Args:
        predictions: of the model.
        first: ids that come before all.
        count: at most so many.
    """
    scores_BN = tables.vectors(predictions["scores"])
    targets_BN = tables.multi_hot(predictions["actions"], scores_BN.shape[1])
    ids: list[str] = predictions["video_id"].to_pylist()
    rounds = zip_longest(*(_told(scores_BN[:, one], targets_BN[:, one]) for one in range(scores_BN.shape[1])))
    in_turn = (ids[place] for places in rounds for place in places if place is not None)
    return list(dict.fromkeys(chain(first, in_turn)))[:count]


def _told(scores_B: np.ndarray, targets_B: np.ndarray) -> list[int]:
    """The best and the worst scored of an action's own videos, and the best of the others, by place."""
    order = np.argsort(-scores_B, kind="stable")
    own, others = order[targets_B[order]], order[~targets_B[order]]
    return [int(place) for place in (*own[:1], *own[-1:], *others[:1])]


def choose_lending(lexicon: pa.Table, count: int = LENDING) -> list[str]:
    """For each action, the video of its audio forms that has the fewest other actions.

    Args:
        lexicon: columns action_id and video_id of the audio lexicon.
        count: at most so many.
    """
    pairs = list(zip(lexicon["action_id"].to_pylist(), lexicon["video_id"].to_pylist(), strict=True))
    shared: dict[str, int] = {}
    for _, video in pairs:
        shared[video] = shared.get(video, 0) + 1
    chosen: dict[int, str] = {}
    for action, video in sorted(pairs, key=lambda pair: (pair[0], shared[pair[1]], pair[1])):
        chosen.setdefault(action, video)
    return list(dict.fromkeys(chosen.values()))[:count]


def write_playable(
    target: Path, videos: Mapping[str, Video], chosen: Sequence[str], *, frames: Frames, short_side: int, media: Media
) -> pa.Table:
    """Write the clip and the sound's picture of some videos into the folder `target`; returns the table `playable`.

    A video that can no longer be read is left out with a message.
    """
    rows = []
    with Guard(media) as guard:
        for video_id in sorted(set(chosen)):
            try:
                rows.append(_write(target, videos[video_id], guard, frames, short_side, media))
            except Undecodable as error:
                say(f"{video_id}: the report will have no clip of it: {error}")
    return tables.from_rows("playable", rows)


def _write(
    target: Path, video: Video, guard: Guard, frames: Frames, short_side: int, media: Media
) -> tuple[str, str, str]:
    pictures = pictures_of(video, guard, media, frames=frames, short_side=short_side)
    height, width = (side // 2 * 2 for side in pictures.pixels.shape[1:3])
    sound = _sound(video, guard, media)
    name = video.sha256[:16]  # a video's id may hold slashes
    clip, heard = f"{name}.mp4", f"{name}-heard.webp" if sound is not None else ""
    whole = None if sound is None else (np.clip(sound, -1, 1) * FULL_SCALE).round().astype(np.int16)
    planes = np.stack(list(yuv420(pictures.pixels[:, :height, :width])))
    target.mkdir(parents=True, exist_ok=True)
    fps = round(pictures.fps)
    with atomic_write(target / clip) as draft:
        write_video(draft, planes, size=(width, height), fps=fps, sound=whole, rate=RATE)
    if sound is not None:
        with atomic_write(target / heard) as draft:
            Image.fromarray(heard_picture(sound)).save(draft, format="WEBP", quality=88)
    return video.video_id, clip, heard


def _sound(video: Video, guard: Guard, media: Media) -> np.ndarray | None:
    """Its samples at VGGish's rate; None where it has no audible sound."""
    try:
        return guard.call(unchanged.read, unchanged.recorded(video), partial(read_sound, rate=RATE), media).samples
    except (NoAudioStream, Undecodable):
        return None


def yuv420(pixels_LYXC: np.ndarray) -> Iterator[np.ndarray]:
    """Each RGB frame as its planes Y, U and V in a row, as `write_video` takes them; width and height are even."""
    for frame in pixels_LYXC:
        converted = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24").reformat(
            format="yuv420p", interpolation=FLAGS["antialiased"]
        )
        yield converted.to_ndarray().reshape(-1)


def heard_picture(samples: np.ndarray, patches: int = tables.PATCHES) -> np.ndarray:
    """The log-mel of a sound's first patches as a picture, RGBA: low bands below, time to the right, patches apart.

    Args:
        samples: mono at 16 kHz; a shorter sound ends in silence.
        patches: how many; VGGish hears three.
    """
    wanted = samples_for(patches)
    heard = np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))
    dark = np.log(OFFSET)
    part = np.clip((log_mel(heard)[: patches * PATCH_FRAMES] - dark) / (LOUDEST - dark), 0, 1)
    picture = (255 * mpl.colormaps[COLOURS](part.T[::-1])).round().astype(np.uint8)
    columns = [np.pad(one, ((0, 0), (0, GAP), (0, 0))) for one in np.split(picture, patches, axis=1)]
    return np.concatenate(columns, axis=1)[:, :-GAP]
