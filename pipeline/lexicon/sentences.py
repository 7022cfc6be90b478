"""Whole names of actions, embedded as sentences (the BERT row of Table 2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

WHOLE_NAME = "name:"
"""How the key of a whole name begins, so that a file of vectors says itself whether they are names' or words'."""


def name_key(action: str) -> str:
    """The key of an action's whole name in a file of vectors, where keys contain no spaces; no word begins like it."""
    return WHOLE_NAME + "_".join(action.split())


def embed_names(folder: Path, actions: Sequence[str], size: int) -> "KeyedVectors":
    """Embed each action's whole name by a local transformer: the mean of its tokens' last hidden states.

    The names go through one by one, so that no name is padded to another's length.

    Args:
        folder: of a transformers model with its tokenizer, weights as safetensors (BERT: Q 768).
        actions: their names; `hitting/colliding` is read as `hitting colliding`.
        size: Q, expected dimensions.

    Raises:
        PlainError: transformers is not installed, the folder is no such model, or its size is another.
    """
    require("sentences", "words.source: sentences")
    import torch
    from gensim.models import KeyedVectors
    from transformers import AutoModel, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise PlainError(f"words.name: {folder} has no config.json; name the folder of a transformers model")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        model = AutoModel.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise PlainError(f"words.name: {folder}: cannot be loaded by transformers: {error}") from error
    model.float().eval()
    with torch.inference_mode():
        tokens = [tokenizer(_spoken(action), return_tensors="pt") for action in actions]
        rows = [model(**token).last_hidden_state[0].mean(dim=0).numpy() for token in tokens]
    if rows[0].size != size:
        raise PlainError(
            f"words.name: {folder} gives {rows[0].size} dimensions, but words.size is {size}: set it to that"
        )
    vectors = KeyedVectors(size, dtype=np.float32)
    vectors.add_vectors([name_key(action) for action in actions], rows)
    return vectors


def _spoken(action: str) -> str:
    """An action's name as one would say it."""
    return " ".join(action.translate(str.maketrans("+/_", "   ")).split())
