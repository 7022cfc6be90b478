"""What a stage says while it works: a bar on a terminal, plain lines in a log, nothing in a pipe's way."""

import os
import subprocess
import sys

from tests.terminal import on_a_terminal

WORK = """
from pipeline.foundations.runtime import progress
progress.PLAIN_LINE_SECONDS = 0.0
print(sum(progress.track(range(3), total=3, label="counting")))
progress.say("[bold]said[/bold] as it is")
"""
LINES = ["counting: 1 of 3", "counting: 2 of 3", "counting: 3 of 3", "[bold]said[/bold] as it is"]


def environment(**more):
    names = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "CI")
    return {name: value for name, value in os.environ.items() if name not in names} | {"TERM": "xterm-256color"} | more


def terminal(**more):
    """What a person's terminal gets."""
    return on_a_terminal([sys.executable, "-c", WORK], environment(**more)).decode()


def test_a_log_gets_whole_lines_and_a_pipe_the_results_alone():
    for more in ({}, {"CI": "true"}, {"NO_COLOR": "1"}):
        run = subprocess.run(
            [sys.executable, "-c", WORK], capture_output=True, text=True, check=True, env=environment(**more)
        )
        assert run.stdout == "3\n"
        assert run.stderr.splitlines() == LINES


def test_a_terminal_gets_a_bar_that_leaves_nothing_behind():
    seen = terminal()
    assert "3/3" in seen
    assert "\x1b[?25l" in seen  # the cursor hides
    assert "\x1b[?25h" in seen  # and comes back
    assert "counting: 1 of 3" not in seen
    assert seen.rstrip().endswith("[bold]said[/bold] as it is")


def test_without_colours_the_bar_has_none():
    coloured = "\x1b[38;"
    assert coloured in terminal()
    assert coloured not in terminal(NO_COLOR="1")
