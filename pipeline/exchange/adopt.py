"""Use a published classifier as a model without training: no graph, no lexicons, actions from a list."""

from dataclasses import replace
from pathlib import Path

import torch

from pipeline.dataset.annotations import Faults, lines, vocabulary
from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.checkpoint import Description, save_model
from pipeline.model.design import Design
from pipeline.model.model import build_model
from pipeline.model.weights import Origin, load, read_origin

HEADS = "model.heads"
PLAIN = (["fc"], ["softmax"])


def adopt_classifier(weights: Path, folder: Path, design: Design, actions: Path) -> Origin:
    """Write converted weights with a plain classifier as a trained model's folder.

    Args:
        weights: what `m3a convert-weights` wrote.
        folder: of the model.
        design: what a clip is, and which backbone; its heads are the weights'.
        actions: their names, one a line, in the order of the classifier's rows.

    Raises:
        PlainError: the weights have no plain classifier, are of another backbone or number of actions; the list cannot
            be read.
    """
    origin = read_origin(weights)
    heads = origin.parameters.get(HEADS)
    if heads not in PLAIN:
        raise PlainError(
            f"{weights}: found {f'the heads {heads}' if heads else 'no classifier'}; --actions goes with a plain "
            "classifier, fc or softmax; other heads need the graph and lexicons of data/: leave --actions out"
        )
    names = read_actions(actions)
    design = replace(
        design, model=design.model.model_copy(update={"heads": tuple(heads), "control": "none", "late_fusion": False})
    )
    model = build_model(
        design,
        actions=len(names),
        adjacency=torch.eye(len(names)),  # required, but no plain classifier uses them
        audio_forms=None,
        text_forms=None,
    )
    load(weights, model, head=True)
    about = Description(actions=names, design=design, audio_size=None, text_size=None, batch_norm=model.batch_norm)
    save_model(folder, model.eval(), about)
    return origin


def read_actions(path: Path) -> tuple[str, ...]:
    """The names of a list of actions, one a line.

    Raises:
        PlainError: it cannot be read, is empty, or names one twice.
    """
    faults = Faults()
    rows = [(number, name, place) for place, (number, name) in enumerate(lines(path, faults))]
    return vocabulary(path, rows, faults)
