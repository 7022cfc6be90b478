"""Exported models, opened: the same scores from both files, and plain words for what is no such file."""

import pytest
import torch

from pipeline.exchange.export import ONNX_NAME, PT2_NAME
from pipeline.exchange.exported import open_exported
from pipeline.foundations.runtime.errors import PlainError
from tests.exchange.archives import rewritten
from tests.extras import needs


def test_both_files_give_the_same_scores_and_description(exported_fc):
    clips = torch.randn(3, 3, 2, 16, 16)
    onnx_model, pt2_model = (open_exported(exported_fc / name, threads=1) for name in (ONNX_NAME, PT2_NAME))
    with torch.no_grad():
        torch.testing.assert_close(onnx_model.scores(clips), pt2_model.scores(clips), rtol=0, atol=1e-5)
    assert onnx_model.description == pt2_model.description == {"actions": ["a", "b", "c"]}


def test_the_memory_layout_of_clips_changes_nothing(exported_fc):
    clips = torch.randn(2, 3, 2, 16, 16)
    scores = open_exported(exported_fc / ONNX_NAME, threads=1).scores
    assert torch.equal(scores(clips), scores(clips.contiguous(memory_format=torch.channels_last_3d)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.onnx", None, "no such file"),
        ("m.onnx", b"no graph", r"m\.onnx: cannot be read as ONNX"),
        ("m.pt2", b"no archive", r"m\.pt2: cannot be read as a model of torch\.export"),
        ("m.pth", b"", r"its suffix is '\.pth', not \.onnx or \.pt2"),
    ],
)
def test_another_file_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PlainError, match=message):
        open_exported(tmp_path / name, threads=1)


@needs("onnx")
def test_a_model_without_its_description_is_named(exported_fc, tmp_path):
    import onnx

    graph = onnx.load(exported_fc / ONNX_NAME)
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "m.onnx")
    rewritten(exported_fc / PT2_NAME, tmp_path / "m.pt2", [("extra/description.json", lambda _: b"")])
    for name in ("m.onnx", "m.pt2"):
        with pytest.raises(PlainError, match=r"carries no description\.json; expected a model written by `m3a export`"):
            open_exported(tmp_path / name, threads=1)
