"""`m3a predict --html`: videos with the scores of each view over time, where the model looks, and what it relates.

video -> frames, sound (guarded) -> views -> scores of each, V x N -> the best actions by the combined score
                                 -> Grad-CAM of the best actions, over the whole video
                                 -> the neighbours of the best actions, learnt and in the data
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch

from pipeline.evaluate.views import batches, combine, temporal_views, views
from pipeline.exchange.predict import THREADS, Action, best
from pipeline.explain import relations
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.frames import Pictures, read_frames, reader
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.params import Media
from pipeline.foundations.tables import tables
from pipeline.model.determinism import reproducible
from pipeline.model.normalize import as_clips
from pipeline.model.positions import counted_at
from pipeline.report.gallery import HEIGHT, RATE, Recognizer, action_heat, address, overlay_heat, write_film
from pipeline.report.run_tables import TABLES
from pipeline.report.templating import filled

HEATED = 3
"""Actions with a heat map."""
NEIGHBOURS = 5


class ClipScores(NamedTuple):
    """The scores of one clip of the video, one a crop."""

    start: float
    """Seconds, of its first frame."""
    end: float
    """Seconds, of its last frame."""
    scores: tuple[float, ...]
    """Of one action; one score a crop."""


class Neighbour(NamedTuple):
    """A neighbouring action and its similarity."""

    action: str
    strength: float


class TopAction(NamedTuple):
    """One of the best actions of a video."""

    action: str
    score: float
    """Over all views, as stage `evaluate` combines them."""
    clips: tuple[ClipScores, ...]
    film: str
    """The video under its heat map, as a data URI; empty where none is drawn."""
    neighbours: Mapping[str, list[Neighbour]]
    """By learner, and `data` where there is a graph."""


class Entry(NamedTuple):
    """A video on the page."""

    name: str
    seconds: float
    silent: bool
    film: str
    """The video with its sound, as a data URI."""
    found: tuple[TopAction, ...]
    reason: str
    """Why it cannot be shown; empty where it can."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """The best actions, best first."""
        return tuple(Action(found.action, found.score) for found in self.found)


Related = Mapping[int, Mapping[str, list[Neighbour]]]
"""By action."""


def related(recognizer: Recognizer, root: Path) -> Related:
    """The neighbours of each action: learnt, and in the data where the run below `root` is of these very actions.

    Raises:
        PlainError: the run's graph cannot be read.
    """
    names = recognizer.about.actions
    psi_NN = np.full((len(names), len(names)), np.nan)
    actions, graph = (root / TABLES[name][1] for name in ("actions", "adjacency"))
    if graph.exists() and tables.read("actions", actions)["action"].to_pylist() == list(names):
        psi_NN, _ = relations.graph_of(tables.read("adjacency", graph), len(names))
    found: dict[int, dict[str, list[Neighbour]]] = {}
    for row in relations.neighbours(relations.classifiers(recognizer.network), psi_NN, NEIGHBOURS).to_pylist():
        of = found.setdefault(row["action_id"], {}).setdefault(row["learner"], [])
        of.append(Neighbour(names[row["neighbour"]], row["strength"]))
    return found


def entries(videos: Sequence[Path], recognizer: Recognizer, media: Media, neighbours: Related) -> Iterator[Entry]:
    """Each video as the page shows it; one that cannot be decoded has a reason instead."""
    with reproducible(THREADS), Guard(media) as guard:
        for path in videos:
            try:
                yield _entry(path, recognizer, media, neighbours, guard)
            except Undecodable as finding:
                yield Entry(path.name, 0.0, False, "", (), str(finding))


def _entry(path: Path, recognizer: Recognizer, media: Media, neighbours: Related, guard: Guard) -> Entry:
    file, evaluate = path.resolve(), recognizer.evaluate
    seen = guard.call(reader(recognizer.frames, evaluate.short_side), file, media)
    scores_VN = view_scores(recognizer, seen)
    actions = best(combine(scores_VN, evaluate.combine), recognizer.about.actions, recognizer.top)
    if evaluate.crop != evaluate.short_side:  # Grad-CAM sees the whole frame, at the scale of the crops
        scaled = guard.call(reader(recognizer.frames, evaluate.crop), file, media)
    else:
        scaled = seen
    small = guard.call(partial(read_frames, fps=seen.fps, short_side=HEIGHT), file, media)
    try:
        sound = guard.call(partial(read_sound, rate=RATE), file, media)
    except NoAudioStream:
        sound = None
    found = []
    with TemporaryDirectory() as folder:
        film = Path(folder, "film.mp4")
        write_film(film, small.pixels, round(seen.fps), sound)
        whole = address(film, "video/mp4")
        for rank, (action, score) in enumerate(actions):
            number = recognizer.about.actions.index(action)
            hot = ""
            if rank < HEATED:
                write_film(
                    film, overlay_heat(small.pixels, action_heat(recognizer, scaled, number)), round(seen.fps), None
                )
                hot = address(film, "video/mp4")
            clips = clip_scores(recognizer, seen, scores_VN[:, number])
            found.append(TopAction(action, score, clips, hot, neighbours.get(number, {})))
    return Entry(path.name, len(small.pixels) / seen.fps, sound is None, whole, tuple(found), "")


@torch.inference_mode()
def view_scores(recognizer: Recognizer, video: Pictures) -> np.ndarray:
    """The scores of every view, V x N, as stage `evaluate` has them before it combines them."""
    frames, device = counted_at(recognizer.frames, video.fps), next(recognizer.network.parameters()).device
    parts = []
    for batch, real in batches(views(video.pixels, frames, recognizer.evaluate), recognizer.evaluate.batch):
        parts.append(
            recognizer.network.scores(as_clips(torch.from_numpy(batch).to(device), frames)).cpu().numpy()[:real]
        )
    return np.concatenate(parts)


def clip_scores(recognizer: Recognizer, video: Pictures, scores_V: np.ndarray) -> tuple[ClipScores, ...]:
    """One action's scores by clip, with the clip's time and a score for each crop."""
    frames = counted_at(recognizer.frames, video.fps)
    times = temporal_views(len(video.pixels), frames, recognizer.evaluate.temporal_views)
    crops = np.split(scores_V, len(times))
    return tuple(
        ClipScores(float(shown[0] / video.fps), float(shown[-1] / video.fps), tuple(scores.tolist()))
        for shown, scores in zip(times, crops, strict=True)
    )


def render(shown: Sequence[Entry], recognizer: Recognizer) -> str:
    """The page, as HTML."""
    evaluate = recognizer.evaluate
    context = {
        "entries": shown,
        "backbone": recognizer.about.design.backbone.name,
        "layer": recognizer.layer,
        "vocabulary": len(recognizer.about.actions),
        "clip": recognizer.frames.count,
        "evaluate": evaluate,
    }
    return filled("predicted.html.jinja", context) + "\n"
