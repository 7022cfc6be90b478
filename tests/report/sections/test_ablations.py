from dataclasses import replace

import pytest

from pipeline.ablate.result import Result, line, read_all, write
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.report import page
from pipeline.report.sections.ablations import ablations
from tests.ablate.conftest import figures_of
from tests.ablate.conftest import result as _result

result = _result


@pytest.fixture(scope="module")
def values(finished):
    return load_params(finished / "params.yaml").model_dump(mode="json")


def test_a_row_shows_what_differs_and_what_is_published(result):
    (table,) = ablations([result])
    assert (table.seeds, table.sample) == (3, True)
    assert [row.apart for row in table.rows] == [[False] * 4, [True] * 4, [False] * 4, []]
    assert table.rows[1].published == ["54.3 / 79.0 / 58.0", "60.4 / 85.3 / 64.7"]
    assert "not the paper's joint training" in table.mode


def test_tables_come_in_the_papers_order_joint_training_first(result, tmp_path):
    controls = Result("controls", "joint", "sample", (line("controls", "model", "m", figures_of(1.0, None), ""),), {})
    for one in (controls, result, result._replace(mode="joint")):
        write(one, tmp_path)
    assert [(one.ablation, one.mode) for one in read_all(tmp_path)] == [
        ("table1", "joint"), ("table1", "frozen"), ("controls", "joint"),
    ]  # fmt: skip
    assert read_all(tmp_path / "nothing") == []
    (tmp_path / "table2-joint.csv").write_text("no table")
    with pytest.raises(PlainError, match=r"table2-joint\.csv"):
        read_all(tmp_path)


def test_the_page_shows_them_with_their_caveat(run_tables, stages, values, result):
    html = page.render(replace(run_tables, ablations=[result]), stages, values)
    assert "Heads alone, trained on frozen features: not the paper&#39;s joint training." in html
    assert 'data-value="57.5">57.5 ± 1.2<small>53.5 to 62.5</small><small><b>+7.5 (+2.2 to +12.0)</b></small>' in html
    assert "failed: train: error: train.batch: found 13 &amp; 50%" in html
    assert "authors&#39; model zoo, M-MiT V1<small>top-1 / top-5 / mAP</small>" in html
    assert "What the bundled sample can show" in html
    assert html.count('id="ablations"') == 1


def test_without_any_the_page_says_how_to_run_one(run_tables, stages, values):
    html = page.render(run_tables, stages, values)
    assert "m3a ablate table1" in html
    assert "What the bundled sample can show" not in html
