"""A .pt2 passes as it was exported; each thing that PyTorch would run or import on opening it is refused."""

import copy
import io
import json
import pickle

import pytest
import torch

from pipeline.exchange.export import PT2_NAME
from pipeline.exchange.screening import CONFIGS, EXAMPLE, GRAPH, screen
from pipeline.foundations.runtime.errors import PlainError
from tests.exchange.archives import rewritten


class Payload:
    """A pickle that would print."""

    def __reduce__(self):
        return print, ("run!",)


def edited(edit):
    """A change of a member's JSON."""

    def change(content: bytes) -> bytes:
        value = json.loads(content)
        edit(value)
        return json.dumps(value).encode()

    return change


def _nodes(program):
    return program["graph_module"]["graph"]["nodes"]


def _pickled_weight(config):
    next(iter(config["config"].values()))["use_pickle"] = True


def _constant(config):
    config["config"]["c"] = {"path_name": "custom_obj_0", "use_pickle": True}


def _filename(program):
    node = copy.deepcopy(_nodes(program)[0])
    node["target"] = "torch.ops.aten.from_file.default"
    node["inputs"] = [{"name": "filename", "arg": {"as_string": "/tmp/x"}, "kind": 1}]
    _nodes(program).insert(0, node)


def _default_factory(program):
    spec = {"type": "collections.defaultdict", "context": {"default_factory_module": "antigravity"}}
    program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps([1, spec])


def _symbolic(expression):
    def edit(program):
        program["graph_module"]["graph"]["tensor_values"]["x"] = {
            "sizes": [{"as_expr": {"expr_str": expression, "hint": None}}]
        }

    return edit


HOSTILE = {
    "pickled tensors or constants": (CONFIGS[0], edited(_pickled_weight)),
    "pickled tensors": (CONFIGS[1], edited(_constant)),
    "brings code of its own": (GRAPH, edited(lambda program: program["guards_code"].append("print('run!')"))),
    "calls torch.ops.higher_order.map_impl": (
        GRAPH, edited(lambda program: _nodes(program)[0].update(target="torch.ops.higher_order.map_impl")),
    ),
    "calls torch.hub.load": (GRAPH, edited(lambda program: _nodes(program)[0].update(target="torch.hub.load"))),
    "passes string '/tmp/x' to an operation": (GRAPH, edited(_filename)),
    "has the size": (GRAPH, edited(_symbolic("__import__('os').system('echo run!')"))),
    "has the size 'exit": (GRAPH, edited(_symbolic("exit()"))),
    "names a module to import": (GRAPH, edited(_default_factory)),
    "an example that is more than tensors": (EXAMPLE, lambda _: _torch_file(Payload())),
    "cannot be read as a model of torch.export": (GRAPH, lambda _: b"{}"),
}  # fmt: skip


def _torch_file(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def test_what_export_wrote_passes(exported_fc):
    screen(exported_fc / PT2_NAME)


@pytest.mark.parametrize("finding", HOSTILE)
def test_what_would_run_on_opening_is_refused(exported_fc, tmp_path, finding, capfd):
    path = rewritten(exported_fc / PT2_NAME, tmp_path / "x.pt2", [HOSTILE[finding]])
    with pytest.raises(PlainError) as refused:
        screen(path)
    assert finding in str(refused.value)
    assert str(path) in str(refused.value)
    assert "run!" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("model/data/aotinductor/model/x.so", "holds data/aotinductor/model/x.so"),
        ("version", "holds "),
        ("other/models/model.json", "holds a name twice"),
    ],
)
def test_members_that_export_does_not_write_are_refused(exported_fc, tmp_path, name, finding):
    path = rewritten(exported_fc / PT2_NAME, tmp_path / "x.pt2", more=[(name, b"{}")])
    with pytest.raises(PlainError, match=finding):
        screen(path)


@pytest.mark.parametrize("content", [b"", b"no archive", pickle.dumps(1)])
def test_another_file_is_named(tmp_path, content):
    (tmp_path / "x.pt2").write_bytes(content)
    with pytest.raises(PlainError, match=r"x\.pt2: cannot be read as a model of torch\.export"):
        screen(tmp_path / "x.pt2")


@pytest.mark.parametrize(
    "expression",
    ["s7", "Symbol('s7', positive=True, integer=True)",
     "Min(Integer(128), Mul(Integer(8), Symbol('s7', positive=True, integer=True)))"],
)  # fmt: skip
def test_sizes_of_one_symbol_pass(exported_fc, tmp_path, expression):
    screen(rewritten(exported_fc / PT2_NAME, tmp_path / "x.pt2", [(GRAPH, edited(_symbolic(expression)))]))
