"""Build the model of a training run from the tables of earlier stages."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.clips.imported import imported_width
from pipeline.foundations.params import Model
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import mapped, tables
from pipeline.foundations.tables.seeds import seed_of
from pipeline.graph.normalize import normalize
from pipeline.lexicon import audio as audio_lexicon
from pipeline.model.backbones.imported import NAME as IMPORTED
from pipeline.model.checkpoint import Description
from pipeline.model.design import Design
from pipeline.model.model import MultiActionModel, build_model
from pipeline.model.weights import load as load_weights
from pipeline.train.controls import controlled_edges, controlled_forms
from pipeline.train.inputs import Inputs

NAMED = 5
"""Actions that an error names."""


class Forms:
    """The node forms of each epoch; a lexicon that no learner uses is not opened."""

    def __init__(self, inputs: Inputs, design: Design, *, actions: int, seed: int) -> None:
        """Open the lexicons.

        Raises:
            PlainError: a table cannot be read, or the text lexicon has not every action once, or no vector at all.
        """
        heard = design.uses_audio_lexicon
        self._audio = mapped.read("audio", inputs.audio, ["action_id"], "form") if heard else None
        self._path = inputs.audio
        self._lexicon, self._model, self._actions, self._seed = design.lexicon, design.model, actions, seed
        self.text = _text_forms(inputs.text, design.model, actions, seed) if design.uses_text_lexicon else None
        """N x Q, or None."""

    @property
    def vary(self) -> bool:
        """Whether they differ from epoch to epoch."""
        return self._audio is not None and audio_lexicon.varies(self._lexicon)

    def audio(self, epoch: int) -> Tensor | None:
        """N x P', or None.

        Raises:
            PlainError: the lexicon is empty.
        """
        if self._audio is None:
            return None
        nodes = audio_lexicon.node_forms(self._audio, self._actions, self._lexicon, self._seed, epoch)
        if len(nodes.missing) == self._actions:
            raise PlainError(
                f"{self._path}: no action has a sound, since no training video is audible (data/audible says why); "
                "leave out of model.heads those with audio"
            )
        if nodes.missing and epoch == 0:
            say(f"train: {len(nodes.missing)} of {self._actions} actions have no sound; their nodes start from zeros")
        return torch.from_numpy(controlled_forms(nodes.forms, self._model, self._seed, "audio"))


def _text_forms(path: Path, model: Model, actions: int, seed: int) -> Tensor:
    table = tables.read("text", path)
    if table["action_id"].to_pylist() != list(range(actions)):
        raise PlainError(
            f"{path} has {table.num_rows} actions, but the vocabulary has {actions}: run `dvc repro build_text_lexicon`"
        )
    forms = tables.vectors(table["form"]).copy()
    bare = [name for name, form in zip(table["action"].to_pylist(), forms, strict=True) if not form.any()]
    if len(bare) == actions:
        named = ", ".join(bare[:NAMED]) + (f" and {len(bare) - NAMED:,} more" if len(bare) > NAMED else "")
        raise PlainError(
            f"{path}: none of {actions:,} actions has a word with a vector: {named}; name vectors that know them in "
            "words.name, or leave out of model.heads those with text"
        )
    if bare:
        say(f"train: {len(bare)} of {actions} actions have no word with a vector; their nodes start from zeros")
    return torch.from_numpy(controlled_forms(forms, model, seed, "text"))


def read_graph(path: Path, actions: int, design: Design, *, seed: int) -> Tensor:
    """The normalized adjacency A^, N x N, float32, as the design's control leaves it.

    Raises:
        PlainError: the table has not every pair of actions once.
    """
    table = tables.read("adjacency", path)
    if table.num_rows != actions**2:
        raise PlainError(
            f"{path} has {table.num_rows:,} pairs, not {actions} x {actions}: run `dvc repro build_adjacency`"
        )
    edges = controlled_edges(table["edge"].to_numpy().reshape(actions, actions), design.model, seed)
    return normalize(torch.from_numpy(edges.astype(np.float64)), design.normalization).float()


def assemble(inputs: Inputs, design: Design, *, seed: int) -> tuple[MultiActionModel, Forms, Description]:
    """A model to train, its forms, and what it is; weights from the seed, or the backbone's from a file.

    Raises:
        PlainError: a table or the weights do not fit the vocabulary or the parameters.
    """
    names = tables.read("actions", inputs.actions)["action"].to_pylist()
    forms = Forms(inputs, design, actions=len(names), seed=seed)
    heard = forms.audio(0)
    features = imported_width(inputs.clips) if design.backbone.name == IMPORTED else None
    sound = tables.width("whitened", inputs.whitened, "form") if design.model.late_fusion else None
    torch.manual_seed(seed_of(seed, "weights"))
    model = build_model(
        design,
        actions=len(names),
        adjacency=read_graph(inputs.adjacency, len(names), design, seed=seed),
        audio_forms=heard,
        text_forms=forms.text,
        features=features,
        sound=sound,
    )
    if inputs.backbone is not None and inputs.backbone.exists():
        origin = load_weights(inputs.backbone, model, head=False)
        say(f"train: the backbone starts from {origin.source} ({origin.publisher})")
    description = Description(
        actions=tuple(names),
        design=design,
        audio_size=None if heard is None else heard.shape[1],
        text_size=None if forms.text is None else forms.text.shape[1],
        batch_norm=model.batch_norm,
        feature_size=features,
        sound_size=sound,
    )
    return model, forms, description
