"""The machine: versions that differ are named, and a GPU is asked for only where it is needed."""

import importlib.metadata
import sys

import pytest
import torch

from pipeline.doctor import machine
from pipeline.doctor.finding import Finding
from pipeline.doctor.machine import accelerator, extras, versions
from pipeline.foundations.media.decoder import end_idle
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sandbox import SandboxStatus


def test_versions_as_in_the_lock_are_green_and_others_are_named(tmp_path):
    numpy = importlib.metadata.version("numpy")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# == base ==\nnumpy=={numpy} \\\n    --hash=sha256:00\n    # via m3a\n")
    assert versions(tmp_path).colour == "green"
    lock.write_text(f"numpy==0.0.1\nno-such-package==1.0\npytest=={pytest.__version__}\n")
    finding = versions(tmp_path)
    assert finding.colour == "yellow"
    assert finding.found == (
        f"2 of 3 packages are not those of requirements.lock: numpy {numpy}, not 0.0.1, no-such-package absent, not 1.0"
    )
    assert "make install" in finding.advice


def test_what_an_extra_or_another_machine_needs_is_not_missed(tmp_path):
    numpy = importlib.metadata.version("numpy")
    (tmp_path / "requirements.lock").write_text(
        f"# == base ==\nnumpy=={numpy}\nno-such-package==1.0 ; sys_platform == 'win32'\n"
        "# == dev ==\npytest==0.0.1\nneither-this-one==1.0\n"
    )
    assert versions(tmp_path).found == (
        f"1 of 2 packages are not those of requirements.lock: pytest {pytest.__version__}, not 0.0.1"
    )


def test_without_a_lock_or_with_another_python_it_is_said(tmp_path, monkeypatch):
    assert versions(tmp_path).found == "requirements.lock cannot be read: No such file or directory"
    for version in ((3, 9, 1), (3, 11, 3), (3, 14, 0)):
        monkeypatch.setattr(sys, "version_info", version)
        assert versions(tmp_path).colour == "red"
        assert versions(tmp_path).found == f"Python {'.'.join(map(str, version))}, expected 3.11.4 to 3.13"


def test_the_extras_that_the_parameters_ask_for_are_named_where_they_are_not_installed(params, tmp_path, monkeypatch):
    assert list(extras(tmp_path, params)) == []
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    wanting = params.model_copy(update={"vggish": params.vggish.model_copy(update={"source": "hub"})})
    (finding,) = extras(tmp_path, wanting)
    assert finding == Finding(
        "red", "extras", "vggish.source: hub needs TensorFlow, which is not installed", "make install EXTRAS=hub"
    )
    (tmp_path / "models/pretrained").mkdir(parents=True)
    (tmp_path / "models/pretrained/vggish.safetensors").touch()  # converted already
    assert list(extras(tmp_path, wanting)) == []


def changed(params, device="auto", backbone="r3d_tiny"):
    sections = {"execution": {"device": device}, "backbone": {"name": backbone}}
    return params.model_copy(
        update={name: getattr(params, name).model_copy(update=values) for name, values in sections.items()}
    )


@pytest.mark.parametrize(
    ("device", "backbone", "colour"),
    [("auto", "r3d_tiny", "green"), ("cpu", "r2plus1d_34", "yellow"), ("cuda", "r3d_tiny", "red")],
)
def test_no_gpu(params, monkeypatch, device, backbone, colour):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert accelerator(changed(params, device, backbone)).colour == colour


@pytest.mark.parametrize(
    ("device", "memory", "colour"), [("auto", 80e9, "green"), ("auto", 8e9, "yellow"), ("cpu", 80e9, "yellow")]
)
def test_a_gpu(params, monkeypatch, device, memory, colour):
    """R(2+1)D-34 with the paper's batch takes some 26 GB."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H200")
    properties = type("Properties", (), {"total_memory": memory})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    paper = changed(params, device, "r2plus1d_34")
    paper = paper.model_copy(update={"train": paper.train.model_copy(update={"batch": 64, "crop": 112})})
    finding = accelerator(paper)
    assert finding.colour == colour
    assert "H200" in finding.found
    if colour == "green":
        greedy = paper.model_copy(update={"execution": paper.execution.model_copy(update={"gpus": 2})})
        assert accelerator(greedy).colour == "yellow"
        assert "1 x H200" in accelerator(greedy).found
        assert "execution.gpus is 2" in accelerator(greedy).found


def test_portable_arithmetic_is_well_where_the_cpu_has_avx2(params, monkeypatch):
    monkeypatch.setattr(machine, "has_avx2", lambda: True)
    finding = machine.arithmetic(params)
    assert finding.colour == "green"
    assert "the same bytes" in finding.found


def test_a_cpu_without_avx2_and_native_arithmetic_are_told(params, monkeypatch):
    monkeypatch.setattr(machine, "has_avx2", lambda: False)
    assert machine.arithmetic(params).colour == "yellow"
    native = machine.arithmetic(params.model_copy(update={"numerics": "native"}))
    assert native.colour == "green"
    assert "agree to rounding" in native.found


def test_the_decoder_is_locked_in_or_it_is_told_what_the_kernel_lacks(params, monkeypatch):
    monkeypatch.setattr(Guard, "sandbox_status", lambda _: SandboxStatus("", "", ""))
    assert machine.decoder(params).colour == "green"
    monkeypatch.setattr(
        Guard,
        "sandbox_status",
        lambda _: SandboxStatus("", "function not implemented", "no table of system calls for x"),
    )
    finding = machine.decoder(params)
    assert finding.colour == "yellow"
    assert "landlock: function not implemented; seccomp: no table of system calls for x" in finding.found


def test_a_decoder_that_does_not_start_is_red(params, monkeypatch):
    end_idle()  # none that waits, from another test
    monkeypatch.setattr(sys, "executable", "/bin/false")
    finding = machine.decoder(params)
    assert finding.colour == "red"
    assert "the decoding process does not start" in finding.found
