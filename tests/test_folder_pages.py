"""Each folder of pipeline/ has a page of its own, which names what is there."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = sorted(path.parent for path in ROOT.glob("pipeline/*/__init__.py") if path.parent.name != "foundations")
FOLDERS += sorted(path.parent for path in ROOT.glob("pipeline/foundations/*/__init__.py"))
FLOORS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]


def text(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_page_says_what_the_folder_is_for_and_how_to_add_to_it(folder):
    assert text(folder).startswith("# ")
    assert re.search(r"\b([Tt]o add|[Tt]o allow|[Tt]o follow|[Tt]o store|A new) ", text(folder))
    assert "mports " in text(folder) or "may import" in text(folder).lower()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_the_files_that_a_page_names_are_there(folder):
    named = [name.removeprefix("pipeline/") for name in re.findall(r"`([\w./]+\.py)`", text(folder))]
    places = (folder, ROOT / "pipeline", ROOT)
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_page_names_the_floor_that_import_linter_holds(folder):
    stated = re.search(r"Floor (\d)", text(folder))
    name = folder.relative_to(ROOT / "pipeline").parts[0]
    floor = next(len(FLOORS) - n for n, floor in enumerate(FLOORS) if name in floor.split(" | "))
    assert stated is None or int(stated[1]) == floor
