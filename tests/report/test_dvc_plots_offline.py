"""The page of `dvc plots` in a browser without a network: the drawings are there, and nothing is asked for."""

import shutil
import subprocess

import pytest

from tests.browser import browsing
from tests.end_to_end.clones import ROOT, environment


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def here(kept, tmp_path):
    """The small kept project, with this project's settings of DVC."""
    root = shutil.copytree(kept, tmp_path / "project", symlinks=True)
    for name in ("config", "plots.html"):
        shutil.copy(ROOT / ".dvc" / name, root / ".dvc" / name)
    return root


@pytest.mark.parametrize("command", [["show"], ["diff", "before"]])
def test_the_curves_are_drawn_and_nothing_is_fetched(browser, here, command):
    subprocess.run(["dvc", "plots", *command], cwd=here, env=environment(), capture_output=True, check=True)
    page = here / "dvc_plots/index.html"
    browser.open(page, width=1280)
    drawn = browser.ask(
        """new Promise((done) => {
          const look = () => {
            const all = [...document.querySelectorAll("canvas, svg.marks")];
            const sizes = all.map((e) => e.getBoundingClientRect().width);
            if (sizes.length >= 3) done(sizes); else setTimeout(look, 20);
          };
          look();
        })"""
    )
    assert len(drawn) == 3  # loss, validation, learning rate
    assert min(drawn) > 200
    assert browser.errors == []
    assert browser.requests == [page.as_uri()]
    assert "cdn." not in page.read_text().split("<body>")[1]


def test_the_pages_folder_is_no_business_of_git():
    asked = ["git", "check-ignore", "dvc_plots/index.html"]
    assert subprocess.run(asked, cwd=ROOT, capture_output=True, env=environment()).returncode == 0
