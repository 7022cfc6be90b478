"""Transformers models of a few thousand random weights with a tokenizer of letters, as folders."""

from pathlib import Path

import torch

SIZE = 16
LETTERS = "abcdefghijklmnopqrstuvwxyz "
LENGTH = 40
"""Tokens of a sentence, at most."""


def tiny_model(folder: Path, kind: str) -> Path:
    """Write a model of a kind, `bert`, `clip`, `siglip` or `t5`, with safetensors, and its tokenizer."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    vocabulary = {token: number for number, token in enumerate([*special, *LETTERS])}
    letters = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    letters.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=letters, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        model_max_length=LENGTH, model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip
    shape = {
        "hidden_size": SIZE, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "vocab_size": len(vocabulary), "max_position_embeddings": LENGTH,
    }  # fmt: skip
    seen = {"hidden_size": SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
            "image_size": 8, "patch_size": 4}  # fmt: skip
    torch.manual_seed(0)
    if kind == "bert":
        model = transformers.BertModel(transformers.BertConfig(**shape))
    elif kind == "clip":
        text = shape | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
        model = transformers.CLIPModel(
            transformers.CLIPConfig(text_config=text, vision_config=seen, projection_dim=SIZE)
        )
    elif kind == "siglip":
        model = transformers.SiglipModel(transformers.SiglipConfig(text_config=shape, vision_config=seen))
    else:
        model = transformers.T5Model(
            transformers.T5Config(
                d_model=SIZE, d_kv=8, d_ff=32, num_layers=1, num_heads=2, vocab_size=len(vocabulary),
                decoder_start_token_id=0,
            )
        )  # fmt: skip
    model.eval().save_pretrained(folder)
    return folder
