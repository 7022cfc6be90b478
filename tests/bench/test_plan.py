"""The plan by hand-counted cases: counts times costs over cores, and what bounds a stage."""

import os

import pytest

from pipeline.bench import plan, unit_costs
from pipeline.bench.corpus import track
from pipeline.bench.plan import Counts, Machine, counts_of, duration
from pipeline.bench.unit_costs import UnitCosts, measure
from pipeline.dataset.annotations import Annotations, Video
from pipeline.doctor.needs import DECODER
from pipeline.foundations.runtime.errors import PlainError
from tests.train.miniature import changed

COSTS = UnitCosts(
    videos=32, file_bytes=1e5, hash=1e-3, listed=2e-4, sound=0.005, audible=0.5, vggish=0.06, copy=0.1,
    copy_bytes=170e3, example=0.0125, step=2.0, view_video=0.02, view=0.5, start=1.0, start_network=4.0, record=0.25,
)  # fmt: skip
COUNTS = Counts(videos=1000, copied=900, trained=800, tested=100, actions=313, lenders=1600.0)


@pytest.fixture
def paper(params):
    return changed(
        params,
        {
            "train": {"epochs": 10, "batch": 64, "validate_every": 5, "precise_bn_batches": 200, "threads": 8},
            "evaluate": {"temporal_views": 10, "spatial_views": 3, "batch": 20, "crop": 128},
        },
    )


def planned(params, **machine):
    return {each.stage: each for each in plan.plan(COUNTS, COSTS, params, Machine(**machine))}


def test_a_sharded_stage_takes_its_videos_costs_and_its_processes_starts(paper):
    stages = planned(paper, cores=4, gpu_clips=None)
    assert stages["filter_silent"].core_seconds == pytest.approx(1000 * 0.005 + 5 * 1.0 + 0.25)
    assert stages["extract_vggish"].core_seconds == pytest.approx(500 * 0.06 + 5 * 4.0 + 0.25)
    assert stages["prepare_clips"].core_seconds == pytest.approx(900 * 0.1 + 5 * 1.0 + 0.25)
    assert stages["prepare_clips"].seconds == pytest.approx((900 * 0.1 + 5 * 1.0 + 0.25) / 4)
    assert stages["prepare_clips"].disk == 900 * 170e3
    assert stages["filter_silent"].memory == pytest.approx(5 * plan.LIGHT + 4 * DECODER + 600 * 1000)


def test_indexing_takes_hashing_and_listing(paper):
    assert planned(paper, cores=4, gpu_clips=None)["index"].core_seconds == pytest.approx(
        1000 * (1e-3 + 2e-4) + 1.0 + 0.25
    )


def test_training_counts_epochs_precise_statistics_and_validations(paper):
    """Forward passes are a third of a step: two validations of 100 videos, each after 800 videos, once again."""
    stages = planned(paper, cores=4, gpu_clips=100.0)
    steps, seen = 10 * 800 + 2 * (800 + 100) / 3, 10 * 800 + 2 * (800 + 100)
    assert stages["train"].seconds == pytest.approx(steps / 100)
    assert stages["train"].core_seconds == pytest.approx(seen * 0.0125)
    assert stages["train"].bound == "the GPU; 1.2 cores feed it"
    on_cpu = planned(paper, cores=4, gpu_clips=None)["train"]
    assert on_cpu.core_seconds == pytest.approx(steps * 2.0 + seen * 0.0125 + 4.0)


def test_a_gpu_that_cores_cannot_feed_waits_for_them(paper):
    train = planned(paper, cores=1, gpu_clips=800.0)["train"]
    assert train.seconds == pytest.approx((10 * 800 + 2 * 900) * 0.0125)
    assert train.bound == "the loader: 10.0 cores would feed the GPU"


def test_testing_counts_whole_batches_of_views(paper):
    """30 views in batches of 20 are 40."""
    stages = planned(paper, cores=4, gpu_clips=None)
    assert stages["evaluate"].core_seconds == pytest.approx(100 * (0.02 + 40 * 0.5) + 5 * 4.0)


def test_counts_follow_the_annotations_and_scale_to_other_numbers(params):
    settings = changed(params, {"split_mini": {"draw": "all"}, "evaluate": {"split": "test"}})
    videos = [Video(f"v{n}", f"v{n}.mp4", split, (0, 1)) for n, split in enumerate(["train"] * 6 + ["val", "test"])]
    found = counts_of(Annotations(("a", "b"), tuple(videos)), settings)
    assert found == Counts(videos=8, copied=7, trained=6, tested=1, actions=2, lenders=12.0)
    assert counts_of(Annotations(("a", "b"), tuple(videos)), settings, 800).trained == 600


def test_the_table_has_a_line_a_stage_and_their_sum(paper):
    lines = plan.markdown(plan.plan(COUNTS, COSTS, paper, Machine(4, None))).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| index", "| filter_silent", "| extract_vggish", "| whiten to adjacency", "| prepare_clips", "| train",
        "| evaluate", "| all",
    ]  # fmt: skip


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (750, "12.5 min"), (9000, "2.5 h"), (2e6, "23.1 days")])
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text


def test_listing_is_measured_apart_from_the_projects_own_digests(tmp_path, monkeypatch):
    monkeypatch.setattr(unit_costs, "LISTED", 50)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    assert unit_costs._listed(tmp_path / "listed", workers=2) > 0
    assert os.environ["DVC_ROOT"] == str(tmp_path / "project")
    assert not (tmp_path / "project").exists()
    assert (tmp_path / "listed/.cache/index/digests.sqlite").exists()


def test_a_video_that_is_cut_off_costs_what_it_takes_to_find_that_out(corpus, tmp_path):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(corpus.clips[0].read_bytes()[:5000])
    assert unit_costs._decoding([track(cut), track(corpus.clips[1])], corpus.params) > 0


@pytest.mark.slow
def test_recording_a_run_is_measured_in_a_project_of_its_own(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    before = set((root / "data/runs").iterdir())
    assert unit_costs._recorded("stages.filter_silent", tmp_path / "recorded") > 0
    records = list((tmp_path / "recorded/.dvc/cache/m3a/runs/plan").iterdir())
    assert len(records) == 2  # the first only warms up
    assert all('"outcome": "finished"' in record.read_text() for record in records)
    assert set((root / "data/runs").iterdir()) == before


@pytest.mark.slow
def test_where_no_video_can_be_decoded_the_plan_says_so(tmp_path, params, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(b"none")
    with pytest.raises(PlainError, match="none of 1 sampled videos can be decoded"):
        measure([cut], params, tmp_path, actions=24)


@pytest.mark.slow
def test_costs_are_measured_by_the_stages_own_tasks(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(corpus.clips[0].read_bytes()[:5000])
    costs = measure([cut, *corpus.clips], corpus.params, tmp_path, actions=24)
    assert costs.videos == 6
    assert costs.audible == 0.5
    assert costs.file_bytes == sum(clip.stat().st_size for clip in (cut, *corpus.clips)) / 6
    assert 1e4 < costs.copy_bytes < 1e7
    assert all(
        cost > 0 for cost in (costs.hash, costs.listed, costs.vggish, costs.copy, costs.step, costs.view, costs.start)
    )
