from pathlib import Path

import pytest

from pipeline.ablate.experiments import plan
from pipeline.ablate.published import PUBLISHED
from pipeline.ablate.rows import ABLATIONS
from pipeline.foundations.params import parse_params, presets
from pipeline.foundations.params.editing import edited

ROOT = Path(__file__).resolve().parents[2]
ROWS = [(ablation, row) for ablation in ABLATIONS.values() for row in ablation.rows]


def changed(row):
    """params.yaml, or the row's preset, with the row's changes, checked."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    if row.preset:
        text = presets.applied(text, presets.changes(text, presets.read(row.preset, ROOT / "params")))
    return parse_params(edited(text, row.changes), ROOT / "params.yaml")


@pytest.mark.parametrize(("ablation", "row"), ROWS, ids=[f"{ablation.name}-{row.name}" for ablation, row in ROWS])
def test_every_row_is_a_valid_params_file(ablation, row):
    changed(row)


@pytest.mark.parametrize("ablation", ABLATIONS.values(), ids=ABLATIONS)
def test_rows_differ_in_name_and_in_what_is_trained(ablation):
    assert len({row.name for row in ablation.rows}) == len(ablation.rows)
    assert len({changed(row).model_dump_json() for row in ablation.rows}) == len(ablation.rows)


def test_table_1_is_the_papers_and_late_fusion():
    *rows, last = ABLATIONS["table1"].rows
    assert (last.changes["model.heads"], last.changes["model.late_fusion"]) == (["fc"], True)
    heads = [row.changes["model.heads"] for row in rows]
    assert heads == [
        ["fc"], ["visual"], ["audio"], ["text"], ["visual", "audio"], ["visual", "text"], ["audio", "text"],
        ["visual", "audio", "text"],
    ]  # fmt: skip


def test_the_rivals_of_table_3_are_as_they_are_published():
    """M-MiT's: 16 frames at 5 a second and wLSEP; TIN's: a frame of each of eight segments."""
    rows = {row.name: changed(row) for row in ABLATIONS["table3"].rows}
    baseline, tin = rows["v1-mmit-visual"], rows["v1-tin"]
    assert (baseline.backbone.name, baseline.train.loss) == ("resnet3d50", "wlsep")
    assert (baseline.frames.fps, baseline.frames.count) == (5.0, 16)
    assert (tin.backbone.name, tin.frames.positions, tin.frames.count) == ("tin_r50", "segments", 8)
    heard = rows["v1-mmit-visual-audio"]
    assert (heard.vggish.source, heard.whitening.method, heard.model.late_fusion) == ("soundnet", "none", True)
    assert (
        heard.model_copy(update={"vggish": baseline.vggish, "whitening": baseline.whitening}).model_copy(
            update={"model": baseline.model}
        )
        == baseline
    )
    assert tin.frames.mean == baseline.frames.mean == (0.485, 0.456, 0.406)
    names = ("v1-mmit-visual", "v1-mmit-visual-audio", "v1-tin")
    assert [PUBLISHED["table3"][name][0].map_sample for name in names] == [61.7, 61.8, 62.2]


def test_table_3_has_the_papers_six_rows_on_v1_and_the_one_of_its_text():
    rows = [row.name for row in ABLATIONS["table3"].rows if row.preset == "mmit_v1"]
    assert len(rows) == 7
    assert all(PUBLISHED["table3"][name] for name in rows)


def test_everything_published_has_its_row():
    assert set(PUBLISHED) <= set(ABLATIONS)
    for name, rows in PUBLISHED.items():
        assert set(rows) <= {row.name for row in ABLATIONS[name].rows}


def test_published_figures_of_one_model_agree_between_tables():
    assert PUBLISHED["table2"]["audio-1"][0] == PUBLISHED["table1"]["audio"][0]
    assert PUBLISHED["table2"]["text-words"][0] == PUBLISHED["table1"]["text"][0]
    assert PUBLISHED["relations"]["gcn"] == PUBLISHED["table1"]["audio-text"]


def test_a_control_differs_from_the_model_in_the_control_alone():
    model, *others = ABLATIONS["controls"].rows
    for row in others[:5]:
        differing = {key for key in row.changes if row.changes[key] != model.changes[key]}
        assert differing == {"model.control"}
        assert row.changes["model.control"] == row.name


def test_names_are_what_dvc_takes_and_differ_by_mode():
    rows = ABLATIONS["table1"].rows
    names = [
        job.name
        for mode in ("joint", "frozen")
        for job in plan(ABLATIONS["table1"], rows, mode=mode, seeds=2, extra={})
    ]
    assert len(set(names)) == len(names) == 9 * 2 + 9
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
