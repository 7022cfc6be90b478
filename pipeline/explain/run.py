"""Everything that stage `explain` writes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.dataset.sample.places import Place
from pipeline.evaluate.testing import Video
from pipeline.explain import pointing, relations
from pipeline.explain.boosts import boosts, compare
from pipeline.explain.draw import Subject, best_scored, choose, draw, scores_of
from pipeline.explain.embedding import clustering, embedding
from pipeline.explain.localize import Located, localize
from pipeline.explain.models import MODEL, PREDICTIONS, Explained, load
from pipeline.explain.playable import choose_lending, choose_scored, write_playable
from pipeline.foundations.params import Evaluate, Execution, Explain, Media
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import WEIGHTS

Places = Mapping[str, Mapping[int, Sequence[Place]]]
"""Where each action of a video is, by their ids; without the videos for which that is not known."""


class Lexicon(NamedTuple):
    """The audio lexicon without its forms."""

    pairs: pa.Table
    """Columns action_id and video_id."""
    videos: Mapping[str, Video]
    """The training videos in it, by id."""


def run(
    target: Path,
    models: Sequence[Explained],
    videos: Sequence[Video],
    places: Places,
    adjacency: pa.Table,
    lexicon: Lexicon,
    *,
    explain: Explain,
    evaluate: Evaluate,
    media: Media,
    execution: Execution,
    seed: int,
) -> str:
    """Write the pictures and tables into the folder `target`; returns a summary in a line.

    Args:
        target: the folder.
        models: this run's, and the baseline's where there is one.
        videos: those of the tested split.
        places: of the sample's actions; empty for data that do not tell.
        adjacency: of this run, for the edges and psi.
        lexicon: of this run, for the videos that its audio forms are from.
        explain: what to draw and what to compare.
        evaluate: how large the frames were in testing, and how many draws its intervals take.
        media: bounds of decoding.
        execution: how the work is done.
        seed: of t-SNE and of the draws.

    Raises:
        PlainError: a model cannot be read, or the baseline's is of other actions or videos; a video that is named
            was not scored.
        Undecodable: a video has changed since it was scored.
    """
    _check_vocabularies(models)
    scored = set(models[0].predictions["video_id"].to_pylist())
    known = {video.video_id: video for video in videos if video.video_id in scored}
    subjects = _subjects(models, known, places, explain)
    located = [_located(video, places[name]) for name, video in known.items() if name in places]
    made = {
        **_pointing(models, located, explain, evaluate, media, execution, seed),
        "drawn": draw(target, models, subjects, explain=explain, short_side=evaluate.short_side, media=media),
        "playable": _playable(
            target, models[0], known, [each.video.video_id for each in subjects], lexicon, explain, media
        ),
        **_relations(models[0], adjacency, explain, seed),
        **_comparison(models, subjects, evaluate.bootstrap, seed),
    }
    for name, table in made.items():
        tables.write(name, target / f"{name}.parquet", table)
    _record_origins(target, models)
    return _summary(made, len(subjects))


def _check_vocabularies(models: Sequence[Explained]) -> None:
    vocabularies = {model.name: load(model.folder)[1].actions for model in models}
    for model in models[1:]:
        if vocabularies[model.name] != vocabularies[MODEL]:
            raise PlainError(f"explain.baseline: the model in {model.folder} has other actions than this run's")


def _located(video: Video, places: Mapping[int, Sequence[Place]]) -> Located:
    """A video with those of its actions that it shows."""
    shown = tuple(action for action in video.actions if action in places)
    return Located(video._replace(actions=shown), tuple(tuple(places[action]) for action in shown))


def _pointing(
    models: Sequence[Explained],
    videos: Sequence[Located],
    explain: Explain,
    evaluate: Evaluate,
    media: Media,
    execution: Execution,
    seed: int,
) -> dict[str, pa.Table]:
    """Tables of the pointing game."""
    judged = localize(
        models,
        videos,
        explain=explain,
        short_side=evaluate.short_side,
        shard_size=evaluate.shard_size,
        media=media,
        execution=execution,
    )
    scores = pointing.scores(judged, bootstrap=evaluate.bootstrap, seed=seed)
    return {"pointing": judged, "pointing_scores": scores}


def _subjects(
    models: Sequence[Explained], videos: Mapping[str, Video], places: Places, explain: Explain
) -> list[Subject]:
    """The videos to draw, with the actions that are drawn of each."""
    drawn = explain.actions if isinstance(explain.actions, int) else _named(models[0], explain.actions)
    subjects = []
    for number, name in enumerate(choose(models, explain)):
        actions = drawn
        if isinstance(actions, int):
            actions = best_scored(scores_of(models[0], name), videos[name].actions, actions)
        subjects.append(Subject(number, videos[name], actions, places.get(name, {})))
    return subjects


def _named(model: Explained, names: Sequence[str]) -> tuple[int, ...]:
    """The ids of actions that are asked for by name."""
    vocabulary = list(load(model.folder)[1].actions)
    unknown = [name for name in names if name not in vocabulary]
    if unknown:
        raise PlainError(f"explain.actions: there is no action {unknown[0]}; data/index/actions.parquet names them")
    return tuple(dict.fromkeys(vocabulary.index(name) for name in names))


def _playable(
    target: Path,
    model: Explained,
    videos: Mapping[str, Video],
    drawn: Sequence[str],
    lexicon: Lexicon,
    explain: Explain,
    media: Media,
) -> pa.Table:
    """Write videos with sound: drawn and other scored ones, and those of the audio forms; returns their table."""
    there = {**videos, **lexicon.videos}
    wanted = [*choose_scored(model.predictions, drawn), *choose_lending(lexicon.pairs)]
    return write_playable(
        target,
        there,
        [video_id for video_id in wanted if video_id in there],  # imported features have no video to play
        frames=load(model.folder)[1].design.frames,
        short_side=explain.short_side,
        media=media,
    )


def _relations(model: Explained, adjacency: pa.Table, explain: Explain, seed: int) -> dict[str, pa.Table]:
    """Tables of the relations that this run's model learnt, and of those in the data."""
    network, description = load(model.folder)
    psi_NN, edge_NN = relations.graph_of(adjacency, len(description.actions))
    layers = relations.node_features(network)
    return {
        "embedding": embedding(layers, perplexity=explain.perplexity, seed=seed),
        "clustering": clustering(layers, relations.smoothed_features(network), edge_NN),
        "neighbours": relations.neighbours(relations.classifiers(network), psi_NN, explain.neighbours),
    }


def _comparison(
    models: Sequence[Explained], subjects: Sequence[Subject], bootstrap: int, seed: int
) -> dict[str, pa.Table]:
    """Tables of this run's gains over the baseline, and of the drawn videos' scores."""
    scores = [
        (subject.video.video_id, model.name, list(subject.video.actions), scores_of(model, subject.video.video_id))
        for subject in subjects
        for model in models
    ]
    gained = tables.empty("boosts")
    if len(models) > 1:
        compared = compare(models[0].predictions, models[1].predictions)
        gained = boosts(compared, bootstrap=bootstrap, seed=seed)
    return {"boosts": gained, "compared": tables.from_rows("compared", scores)}


def _record_origins(target: Path, models: Sequence[Explained]) -> None:
    """Write the digests of the models' files, since DVC does not track a baseline."""
    digests = {
        model.name: {path.name: files.sha256(path) for path in (model.folder / WEIGHTS, model.root / PREDICTIONS)}
        for model in models
    }
    files.write_text(target / "models.json", json.dumps(digests, indent=2) + "\n")


def _summary(made: Mapping[str, pa.Table], drawn: int) -> str:
    figures = {(row["model"], row["layer"], row["row"]): row for row in made["pointing_scores"].to_pylist()}
    parts = [f"{drawn:,} videos drawn"]
    for (model, layer, row), heat in figures.items():
        if row == "heat":
            chance = figures[model, layer, "chance"]["value"]
            parts.append(
                f"the {model}'s heat at {layer} points at the action {heat['value']:.1f}% of the time "
                f"({heat['low']:.1f} to {heat['high']:.1f}; chance {chance:.1f})"
            )
    return "; ".join(parts)
