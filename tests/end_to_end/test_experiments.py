"""A queued experiment runs the code of its own copy, not the main checkout's."""

import subprocess

import pytest

from tests.end_to_end.clones import change_params, clone, environment

pytestmark = pytest.mark.slow
WITNESS = '\nimport os\nfrom pathlib import Path\nPath(os.environ["M3A_WITNESS"]).write_text(f"{WORD} {__file__}")\n'


@pytest.fixture
def root(tmp_path):
    root = clone(tmp_path / "clone")
    yield root
    # DVC's queue worker can outlive its queue: it then waits for ever
    subprocess.run(["dvc", "queue", "stop", "--kill"], cwd=root, env=environment(), check=True)


def _run(root, *command, **env):
    log = root.parent / "log"  # no pipe: a worker left behind would keep it open
    with log.open("w") as file:
        run = subprocess.run(command, cwd=root, env=environment(**env), stdout=file, stderr=subprocess.STDOUT)
    assert run.returncode == 0, log.read_text()[-3000:]
    return log.read_text()


def test_a_queued_experiment_runs_its_own_code(root, tmp_path):
    folder = root / "data/raw/tiny"
    (folder / "videos/waving").mkdir(parents=True)
    (folder / "videos/waving/a.mp4").write_bytes(b"never decoded by index")
    (folder / "moments_categories.txt").write_text("waving,0\n")
    (folder / "trainingSet.txt").write_text("waving/a.mp4,0\n")
    (folder / "videos/waving/b.mp4").write_bytes(b"nor this")
    (folder / "validationSet.txt").write_text("waving/b.mp4,0\n")
    place = {
        "source": "mmit",
        "folder": "data/raw",
        "annotations": "tiny",
        "videos": "tiny/videos",
        "watch": "tiny",
    }
    change_params(root, {"dataset": place})
    _run(root, "git", "add", "-A")
    _run(root, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "tiny data")

    module = root / "pipeline/dataset/dataset.py"
    committed = module.read_text()
    witness = str(tmp_path / "witness")
    module.write_text(committed + WITNESS.replace("{WORD}", "changed"))
    _run(root, "dvc", "exp", "run", "--queue", "--name", "changed-code", "index", M3A_WITNESS=witness)
    module.write_text(committed + WITNESS.replace("{WORD}", "main"))
    _run(root, "dvc", "exp", "run", "--run-all", M3A_WITNESS=witness)

    word, ran = (tmp_path / "witness").read_text().split(" ", 1)
    assert word == "changed"
    assert ".dvc/tmp/exps" in ran
    assert "changed-code" in _run(root, "dvc", "exp", "show", "--csv", "--no-pager")
