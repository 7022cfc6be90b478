"""The m3a command as a person meets it."""

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import app, main

run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})
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


def test_an_error_is_one_line_and_status_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["m3a", "convert-weights", str(tmp_path / "absent.pth"), "x.safetensors"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("m3a: error: ")
    assert "absent.pth: cannot be read" in error
