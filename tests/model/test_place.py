"""Precision and memory on a device: the backbone in bfloat16, all behind it in float32."""

import copy

import pytest
import torch
from torch import nn

from pipeline.model.fold import fold
from pipeline.model.place import place


@pytest.fixture
def mixed(make_model):
    """A model as it is on a GPU, but on the CPU, and its clips."""
    model = make_model(("visual", "audio", "text")).eval()
    model.mixed_precision = True
    return model, torch.randn(2, 3, 4, 32, 32)


def test_the_backbone_computes_in_bfloat16_and_the_heads_do_not(mixed):
    model, clips = mixed
    seen = {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _, inputs, made, name=name: seen.update({name: (inputs, made)}))
    logits = model(clips)
    convolutions = {name for name, module in model.named_modules() if isinstance(module, nn.Conv3d)}
    assert {seen[name][1].dtype for name in convolutions} == {torch.bfloat16}
    behind = [values for name, values in seen.items() if name.startswith(("head", "pooling"))]
    assert {value.dtype for inputs, _ in behind for value in inputs if isinstance(value, torch.Tensor)} == {
        torch.float32
    }
    assert logits.dtype == torch.float32


def test_logits_are_float32s_of_the_features(mixed):
    """Exactly what the heads give in float32, where bfloat16 ones would move them."""
    model, clips = mixed
    features = model.features(clips)
    exact = model.logits(features)
    assert torch.equal(model(clips), exact)
    with torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(model.logits(features).float(), exact)


def test_mixed_precision_moves_features_by_its_rounding_alone(mixed):
    """Some ten layers, each rounded to 8 bits: a hundredth of the largest feature, and not a tenth."""
    model, clips = mixed
    found = model.features(clips)
    model.mixed_precision = False
    expected = model.features(clips)
    assert 0 < (found - expected).abs().max() < 0.05 * expected.abs().max()


def test_it_stays_with_copies_and_the_folded_model(mixed):
    model, clips = mixed
    assert copy.deepcopy(model).mixed_precision
    torch.testing.assert_close(fold(model)(clips), model(clips), rtol=1e-4, atol=1e-5)


def test_on_a_cpu_nothing_changes(make_model):
    """Not even how weights lie in memory: last bits would differ."""
    model = make_model(("fc",))
    place(model, torch.device("cpu"), mixed_precision=True)
    assert not model.mixed_precision
    assert all(weight.is_contiguous() for weight in model.parameters())


@pytest.mark.cuda
def test_on_a_gpu_channels_are_innermost_and_bfloat16_is_used(make_model):
    model, clips = make_model(("visual", "audio", "text")).eval(), torch.randn(2, 3, 4, 32, 32)
    exact = model(clips).detach()
    place(model, torch.device("cuda"), mixed_precision=True)
    assert model.mixed_precision
    weights = [module.weight for module in model.modules() if isinstance(module, nn.Conv3d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last_3d) for weight in weights)
    torch.testing.assert_close(model(clips.cuda()).detach().cpu(), exact, rtol=0, atol=0.05 * exact.abs().max().item())
