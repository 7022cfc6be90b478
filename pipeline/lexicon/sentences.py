"""Embed whole names of actions as sentences by a local transformers model: BERT (Table 2), mpnet, CLIP, SigLIP.

    name -> "a video of {action}", "someone is {action}" -> tokens -> text model -> T x Q -> pooled, Q -> mean, Q

Shapes: T tokens, Q dimensions.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.foundations.params import Words
from pipeline.foundations.params.data import ACTION
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require

if TYPE_CHECKING:
    from gensim.models import KeyedVectors
    from torch import Tensor

WHOLE_NAME = "name:"
"""Prefix of the key of a whole name, which marks files with vectors of names instead of words."""
FILLED_UP = ("siglip", "siglip2")
"""Kinds of model that were trained on sentences padded to one length."""


def name_key(action: str) -> str:
    """The key of an action's whole name in a file of vectors, where keys contain no spaces; no word begins like it."""
    return WHOLE_NAME + "_".join(action.split())


def embed_names(words: Words, actions: Sequence[str]) -> "KeyedVectors":
    """Embed each action's whole name, or the mean over the prompts that it is put into.

    The sentences go through one by one, so that none is padded to another's length.

    Args:
        words: `name` is the folder of a transformers model with its tokenizer, weights as safetensors; `size` is Q.
        actions: their names; `hitting/colliding` is read as `hitting colliding`.

    Raises:
        PlainError: transformers is not installed, the folder is no such model, its size is another, or it has no
            embedding of its own where `words.pooling` asks for it.
    """
    prompts, pooling = words.prompts or (ACTION,), words.pooling
    require("sentences", "words.source: sentences")
    import torch
    from gensim.models import KeyedVectors

    embed = sentence_model(Path(words.name), pooling)
    with torch.inference_mode():
        rows = [
            np.mean([embed(prompt.replace(ACTION, _spoken(action))).numpy() for prompt in prompts], axis=0)
            for action in actions
        ]
    if rows[0].size != words.size:
        raise PlainError(
            f"words.name: {words.name} gives {rows[0].size} dimensions, but words.size is {words.size}: set it to that"
        )
    vectors = KeyedVectors(words.size, dtype=np.float32)
    vectors.add_vectors([name_key(action) for action in actions], rows)
    return vectors


def sentence_model(folder: Path, pooling: str) -> "Callable[[str], Tensor]":
    """A function that embeds a sentence as Q numbers, float32: a local model's text part and the pooling of its tokens.

    Raises:
        PlainError: the folder is no such model.
    """
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
    filled_up = {"padding": "max_length"} if model.config.model_type in FILLED_UP else {}
    pool = _own if pooling == "own" else _of_tokens(POOLINGS[pooling])

    def embed(sentence: str) -> "Tensor":
        pooled = pool(model, tokenizer(sentence, return_tensors="pt", truncation=True, **filled_up))
        if pooled is None:
            raise PlainError(f"words.pooling is own, but {folder} has no embedding of its own: use mean, cls or last")
        return pooled

    return embed


POOLINGS: "Mapping[str, Callable[[Tensor], Tensor]]" = {
    "mean": lambda states_TQ: states_TQ.mean(dim=0),
    "cls": lambda states_TQ: states_TQ[0],
    "last": lambda states_TQ: states_TQ[-1],
}
"""From a sentence's last hidden states to its embedding, by `words.pooling`."""


def _of_tokens(pool: "Callable[[Tensor], Tensor]") -> "Callable[[Any, Mapping[str, Tensor]], Tensor]":
    def pooled(model: Any, tokens: "Mapping[str, Tensor]") -> "Tensor":
        text = model.get_encoder() if model.config.is_encoder_decoder else getattr(model, "text_model", model)
        return pool(text(**tokens).last_hidden_state[0])

    return pooled


def _own(model: Any, tokens: "Mapping[str, Tensor]") -> "Tensor | None":
    """The model's own text embedding: of CLIP and SigLIP, in the space of images; of BERT, the pooler's output."""
    if model.config.is_encoder_decoder:
        return None
    found = model.get_text_features(**tokens) if hasattr(model, "get_text_features") else model(**tokens)
    found = getattr(found, "pooler_output", None) if hasattr(found, "last_hidden_state") else found
    return None if found is None else found[0]


def _spoken(action: str) -> str:
    """An action's name as spoken words."""
    return " ".join(action.translate(str.maketrans("+/_", "   ")).split())
