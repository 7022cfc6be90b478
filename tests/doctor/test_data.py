"""The doctor on folders as they are in life: whole, absent, empty, broken, and a part."""

import shutil
from math import comb

import pytest

from pipeline.dataset.annotations import Annotations, Video
from pipeline.doctor.data import counts, examine_data, silence, too_many
from pipeline.doctor.probe import Probe


def examined(root, params):
    """All findings, and what the examination returned."""
    findings = []
    examination = examine_data(root, params)
    while True:
        try:
            findings.append(next(examination))
        except StopIteration as end:
            return {finding.subject: finding for finding in findings}, end.value


def test_a_whole_data_set_is_green(project, own):
    found, seen = examined(project, own)
    assert {finding.colour for finding in found.values()} == {"green"}
    assert found["videos"].found == "4 of 2 actions"
    assert found["labels"].found == "6"
    assert found["two actions or more"].found == "2 training videos"
    assert found["three or more"].found == "0 training videos"
    assert found["mini training split"].found == "3 at most: up to 300 for each of 2 folders"
    assert found["files"].found == "4 of 4 annotated videos are there"
    assert found["decoding"].found == "4 of 4 sampled videos can be decoded, 3 have sound"
    assert len(seen.annotations.videos) == len(seen.present) == len(seen.probes) == 4
    for probe in seen.probes:
        assert probe.pixel_bytes == 8 * 96 * 144 * 3  # frames x short side x 96 * 96 / 64 x RGB
        assert 8 * 1_000 < probe.copy_bytes < probe.pixel_bytes


def test_an_absent_folder_is_said_in_plain_words(tmp_path, own):
    found, seen = examined(tmp_path, own)
    assert seen is None
    assert found.pop("dataset.folder").colour == "green"
    assert set(found) == {"dataset.annotations", "dataset.videos", "dataset.watch"}
    for finding in found.values():
        assert finding.colour == "red"
        assert "does not exist" in finding.found
        assert "params.yaml" in finding.advice
    assert found["dataset.videos"].found == "the folder videos does not exist"


def test_without_the_data_sets_folder_one_finding_says_all(tmp_path, own):
    dataset = own.dataset.model_copy(update={"folder": "/nowhere/mmit"})
    found, seen = examined(tmp_path, own.model_copy(update={"dataset": dataset}))
    assert seen is None
    assert list(found) == ["dataset.folder"]
    assert found["dataset.folder"].found == "the folder /nowhere/mmit does not exist"
    assert found["dataset.folder"].advice.endswith("in params.yaml, dataset.folder")


def test_videos_may_lie_elsewhere(project, own, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "videos"
    (project / "videos").rename(elsewhere)
    dataset = own.dataset.model_copy(update={"videos": str(elsewhere)})
    found, _ = examined(project, own.model_copy(update={"dataset": dataset}))
    assert found["files"].found == "4 of 4 annotated videos are there"


def test_a_file_in_the_place_of_a_folder_is_told(project, own):
    (project / "file").touch()
    dataset = own.dataset.model_copy(update={"videos": "file"})
    found, _ = examined(project, own.model_copy(update={"dataset": dataset}))
    assert found["dataset.videos"].found == "the folder file is no folder"


def test_empty_folders_are_red_for_what_they_lack(tmp_path, own):
    for name in ("annotations", "videos"):
        (tmp_path / name).mkdir()
    found, seen = examined(tmp_path, own)
    assert seen is None
    assert found["annotations"].colour == "red"
    assert "moments_categories.txt: cannot be read: No such file" in found["annotations"].found


def test_annotations_without_a_single_video_are_red(project, own):
    for path in (project / "videos").rglob("*.mp4"):
        path.unlink()
    found, seen = examined(project, own)
    assert seen is None
    assert found["files"].colour == "red"
    assert "4 of 4 annotated videos cannot be used" in found["files"].found
    assert "decoding" not in found


def test_malformed_lines_are_named_with_file_and_line(project, own):
    with (project / "annotations/trainingSet.txt").open("a") as file:
        file.write("singing/e.mp4,7\n")
    found, _ = examined(project, own)
    assert found["annotations"].colour == "red"
    assert "trainingSet.txt: line 4: found the label '7'" in found["annotations"].found


@pytest.mark.parametrize(("allowed", "colour"), [(0.0, "red"), (0.5, "yellow")])
def test_missing_files_are_red_where_stage_index_would_stop(project, own, allowed, colour):
    (project / "videos/singing/b.mp4").unlink()
    index = own.index.model_copy(update={"max_missing_rate": allowed})
    found, seen = examined(project, own.model_copy(update={"index": index}))
    assert found["files"].colour == colour
    assert "singing/b" in found["files"].found
    assert len(seen.present) == 3


@pytest.mark.parametrize(("allowed", "colour"), [(0.02, "red"), (0.5, "yellow")])
def test_broken_files_are_named_with_their_reason(project, own, allowed, colour):
    broken = project / "videos/singing/b.mp4"
    broken.write_bytes(broken.read_bytes()[:2_000])
    sections = ("filter_silent", "clips", "evaluate")
    rates = {name: getattr(own, name).model_copy(update={"max_failure_rate": allowed}) for name in sections}
    found, seen = examined(project, own.model_copy(update=rates))
    assert found["decoding"].colour == colour
    assert found["decoding"].found.startswith("3 of 4 sampled videos can be decoded, 2 have sound; not ")
    assert "b.mp4: MP4 without a readable index" in found["decoding"].found
    assert len(seen.probes) == 3


def test_the_sample_before_it_is_rendered_is_no_fault(tmp_path, params):
    found, seen = examined(tmp_path, params)
    assert seen is None
    assert [(finding.colour, finding.found) for finding in found.values()] == [("yellow", "not rendered yet")]


def annotations(actions, rows):
    """Videos of a folder `x` each, from (split, actions) rows, each so many times."""
    videos = [
        Video(f"x/{number}-{copy}", f"x/{number}-{copy}.mp4", split, labels)
        for number, (split, labels, times) in enumerate(rows)
        for copy in range(times)
    ]
    return Annotations(tuple(f"a{number}" for number in range(actions)), tuple(videos))


def test_a_vocabulary_of_v1s_size_is_held_against_the_published_counts_in_one_line(own):
    found = {f.subject: f for f in counts(annotations(313, [("train", (0, 1), 3), ("val", (0,), 1)]), own.split_mini)}
    assert [subject for subject, finding in found.items() if finding.colour != "green"] == ["published"]
    assert found["videos"].found == "4 of 313 actions"
    assert found["two actions or more"].found == "3 training videos"
    for differs in (
        "videos: 4, published for M-MiT V1: about 1,020,000",
        "about 2,010,000",
        "two actions or more: 3, published for M-MiT V1: 553,535",
        "257,491",
        "about 93,206",
    ):
        assert differs in found["published"].found
    assert found["published"].advice.count("will not compare with the paper's") == 1


def test_a_vocabulary_of_v2s_size_has_counts_of_its_own(own):
    found = {f.subject: f for f in counts(annotations(292, [("train", (0,), 1)]), own.split_mini)}
    for expected in ("M-MiT V2: about 1,000,000", "about 1,920,000", "525,542", "243,083"):
        assert expected in found["published"].found
    assert "mini training split" not in found["published"].found  # not published


def test_a_vocabulary_of_another_size_is_not_held_against_anything(own):
    assert "published" not in {f.subject for f in counts(annotations(7, [("train", (0,), 1)]), own.split_mini)}


def test_the_samples_settings_with_another_folder_are_red(tmp_path, params):
    dataset = params.dataset.model_copy(update={"folder": str(tmp_path)})
    found, seen = examined(tmp_path, params.model_copy(update={"dataset": dataset}))
    assert seen is None
    assert found["sample"].colour == "red"
    assert "rendered as data/raw/sample alone" in found["sample"].found
    assert "m3a preset own_small" in found["sample"].advice


def test_what_a_later_stage_would_refuse_is_said(project, own, params):
    (project / "annotations/trainingSet.txt").write_text("elsewhere/a.mp4,0\n")
    shutil.move(project / "videos/singing", project / "videos/elsewhere")
    (project / "annotations/validationSet.txt").write_text("elsewhere/d.mp4,0\n")
    sections = {"split_mini": own.split_mini.model_copy(update={"draw": "folder"}), "train": params.train}
    findings = list(examine_data(project, own.model_copy(update=sections)))
    said = [finding for finding in findings if finding.subject == "training"]
    assert [finding.colour for finding in said] == ["red", "red"]
    assert "the first folder of 1 training videos, such as 'elsewhere/a.mp4', names no action" in said[0].found
    assert "train.batch is 32, but there are only 1 training videos" in said[1].found


def test_videos_of_which_none_has_sound_are_told_where_sound_is_needed(params):
    silent = [Probe(1, 1, False, False)] * 3
    (finding,) = silence(silent, params)
    assert finding.colour == "red"
    assert "none of 3 sampled videos has a sound track" in finding.found
    assert list(silence([*silent, Probe(1, 1, True, True)], params)) == []
    sighted = {"model": params.model.model_copy(update={"heads": ("visual", "text")}),
               "split_mini": params.split_mini.model_copy(update={"require_audio_stream": False})}  # fmt: skip
    assert list(silence(silent, params.model_copy(update=sighted))) == []


def test_videos_whose_sound_tracks_are_all_silent_are_told_where_a_head_hears(params):
    silent = [Probe(1, 1, True, False)] * 3
    (finding,) = silence(silent, params)
    assert finding.colour == "red"
    assert finding.found.startswith("none of 3 sampled videos is audible (filter_silent); model.heads has ")
    sighted = params.model_copy(update={"model": params.model.model_copy(update={"heads": ("visual", "text")})})
    assert list(silence(silent, sighted)) == []


def test_a_sample_convicts_only_where_chance_does_not_explain_it():
    assert not too_many(1, 50, 0.02, everything=False)  # 64% likely at 2%
    assert not too_many(3, 50, 0.02, everything=False)  # 8%
    assert too_many(4, 50, 0.02, everything=False)  # 2%
    at_least_four = sum(comb(50, k) * 0.02**k * 0.98 ** (50 - k) for k in range(4, 51))
    assert 0.01 < at_least_four < 0.05
    assert too_many(2, 50, 0.02, everything=True)
    assert not too_many(1, 50, 0.02, everything=True)
    assert too_many(1, 50, 0.0, everything=False)
