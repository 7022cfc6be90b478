"""Stage `render`, as a person would run it, on a sample of a few videos."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages import render


@pytest.fixture
def project(tmp_path, monkeypatch, root):
    """A project whose sample is small."""
    yaml = YAML()
    content = yaml.load(root / "params.yaml")
    content["render"].update(train=3, validation=1, test=1, seconds=0.2, height=64, width=64, truncated=1)
    content["execution"]["workers"] = 1
    monkeypatch.chdir(tmp_path)
    yaml.dump(content, Path("params.yaml"))
    return content


def test_the_stage_renders_where_the_default_parameters_look(project, capfd):
    render.main()
    folder, videos, annotations = (project["dataset"][key] for key in ("folder", "videos", "annotations"))
    assert len(list(Path(folder, videos).glob("*/*.mp4"))) == 5
    assert Path(folder, annotations, "trainingSet.txt").read_text().count("\n") == 3
    assert capfd.readouterr().err.splitlines()[-1] == "render: 5 videos (4 intact, 1 truncated) -> data/raw/sample"


def test_a_fault_is_one_plain_line_and_no_sample(project, capfd):
    project["render"]["truncated"] = 4
    YAML().dump(project, Path("params.yaml"))
    with pytest.raises(SystemExit) as caught:
        render.main()
    assert caught.value.code == 1
    assert (
        capfd.readouterr().err
        == "render: error: render.truncated is 4, but there are only 3 training videos: lower it\n"
    )
    assert not Path("data/raw/sample").exists()
