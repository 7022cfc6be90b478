"""What processes share, against arithmetic by hand and on a machine where locks cannot be had."""

import json
import sys
from pathlib import Path

import pytest

from pipeline.doctor.shared import batches, shared_memory
from tests.namespaces import with_dev_shm
from tests.train.miniature import changed, write_params

ROOT = Path(__file__).resolve().parents[2]
DOCTOR = "from pipeline.cli import main; main()"


@pytest.fixture
def paper(params):
    """Batches of the paper's size from four workers."""
    return changed(
        params, {"frames": {"span": 16, "count": 8}, "train": {"batch": 64, "crop": 112}, "execution": {"workers": 4}}
    )


def test_four_workers_have_ten_batches_of_19_3_mb_under_way(paper):
    assert batches(paper, 313) == (2 * 4 + 2, 64 * (8 * 112 * 112 * 3 + 313 + 8))
    finding = shared_memory(paper, 313)
    assert finding.colour == "green"
    expected = "up to 10 batches of 19.3 MB on their way to training: 192.9 MB of memory, none of it in /dev/shm ("
    assert finding.found.startswith(expected)


@pytest.mark.parametrize("changes", [{"model": {"late_fusion": True}}])
def test_a_batch_with_the_videos_own_sounds_is_larger(params, changes):
    with_sound, without = (batches(changed(params, change), 313)[1] for change in (changes, {}))
    assert with_sound - without == 32 * 384 * 4


@pytest.mark.parametrize(("options", "colour"), [("size=64m", "green"), ("ro", "yellow")])
def test_the_doctor_sees_where_locks_cannot_be_had(tmp_path, params, options, colour):
    write_params(tmp_path, params)
    command = [sys.executable, "-c", DOCTOR, "doctor", "--json"]
    ended = with_dev_shm(options, command, folder=tmp_path, root=ROOT)
    findings = {finding["subject"]: finding for finding in json.loads(ended.stdout)["findings"]}
    assert findings["shared memory"]["colour"] == colour
    said = "(67.1 MB)" if colour == "green" else "Read-only file system"
    assert said in findings["shared memory"]["found"]
