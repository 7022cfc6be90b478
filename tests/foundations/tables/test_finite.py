import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import finite


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_the_tensor_and_its_file_are_named(tmp_path, value):
    tensors = {"a": torch.ones(2), "steps": torch.tensor(3), "b": torch.tensor([[0.0, value]])}
    with pytest.raises(PlainError, match=r"x\.safetensors: b: has values that are not finite"):
        finite.check(tmp_path / "x.safetensors", tensors)


def test_finite_numbers_pass(tmp_path):
    finite.check(tmp_path, {"a": torch.tensor([1e38, -1e-45]), "steps": torch.tensor(3), "none": torch.empty(0)})
