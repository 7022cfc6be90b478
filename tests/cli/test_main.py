"""The m3a command as a person meets it."""

import os
import subprocess
import sys
import tomllib

import pytest
import torch
import typer
from typer.testing import CliRunner

from pipeline.cli import app, main
from tests.terminal import on_a_terminal

run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})
HELP = [sys.executable, "-m", "pipeline.cli", "predict", "--help"]
COMMANDS = sorted(typer.main.get_command(app).commands)


def test_the_help_lists_every_command_by_group():
    listed = run.invoke(app, ["--help"])
    assert listed.exit_code == 0
    for name in (*COMMANDS, "Models", "Data", "Lineage"):
        assert name in listed.output


@pytest.mark.parametrize("name", COMMANDS)
def test_each_commands_help_ends_with_an_example_that_parses(name):
    """The example is given to the command's own parser, which refuses options that are not there."""
    shown = run.invoke(app, [name, "--help"])
    assert shown.exit_code == 0
    command = typer.main.get_command(app).commands[name]
    assert command.epilog.startswith(f"Example: m3a {name}")
    assert f"Example: m3a {name}" in shown.output
    arguments = command.epilog.removeprefix(f"Example: m3a {name}").split()
    command.make_context(name, arguments)


def test_the_version_is_the_packages_and_pytorchs(root):
    shown = run.invoke(app, ["--version"])
    assert shown.exit_code == 0
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert shown.output == f"m3a {project['version']}, PyTorch {torch.__version__}\n"


def test_the_shell_completes_commands_and_options():
    for typed, completed in (("m3a tra", "trace"), ("m3a compare --js", "--json")):
        asked = {"_M3A_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
        assert run.invoke(app, [], prog_name="m3a", env=asked).output.split() == [completed]


def test_completion_is_installed_for_a_persons_shell(tmp_path):
    """Typer asks which shell it runs in, unless it is told."""
    home = os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    install = "import sys; sys.argv[0] = 'm3a'; from pipeline.cli import main; main()"
    subprocess.run([sys.executable, "-c", install, "--install-completion", "bash"], env=home, check=True)
    known = ["bash", "-c", "source ~/.bashrc && complete -p m3a"]
    assert "m3a" in subprocess.run(known, env=home, check=True, capture_output=True, text=True).stdout


def test_an_error_is_one_line_and_status_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["m3a", "convert-weights", str(tmp_path / "absent.pth"), "x.safetensors"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("m3a: error: ")
    assert "absent.pth: cannot be read" in error


def terminal(*command, **environment):
    """What a command writes to a terminal."""
    variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "CI")}
    return on_a_terminal(command, variables | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment)


def test_colours_are_for_terminals_and_for_those_who_want_them():
    green = b"\x1b[1;32m"
    assert green in terminal(*HELP)
    assert green not in terminal(*HELP, NO_COLOR="1")
    assert b"\x1b" not in subprocess.run(HELP, capture_output=True, check=True).stdout


def test_a_reader_that_goes_away_leaves_no_trace():
    """As in `m3a predict --help | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(HELP, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert b"Traceback" not in ended.stderr
    assert b"Broken pipe" not in ended.stderr


def test_a_name_that_the_terminal_cannot_show_is_escaped(root):
    program = r"""
import sys, pipeline.cli as cli
out = sys.modules["pipeline.cli.app"].out
cli.app = lambda: out.print("caf\u00e9 \udce9.mp4")
cli.main()
"""
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "caf\\xe9 \\udce9.mp4\n"
