"""Captions lead to the lineage of their files, where the page tells it."""

from pipeline.report.sources import anchor, linked

PAGE = (
    '<p>From <a data-origin="data/graph/adjacency.parquet"><code>A</code></a>, '
    '<a data-origin="models/m3a/model.json"><code>M</code></a> and <a data-origin="dvc.yaml"><code>D</code></a></p>'
    '<div id="trace-data-graph-adjacency-parquet"></div><div id="trace-models-m3a"></div>'
)


def test_an_anchor_keeps_letters_and_digits():
    assert anchor("data/graph/adjacency.parquet") == "trace-data-graph-adjacency-parquet"


def test_a_file_leads_to_its_own_lineage_or_to_its_folders():
    page = linked(PAGE)
    assert '<a href="#trace-data-graph-adjacency-parquet" title="where data/graph/adjacency.parquet came from">' in page
    assert 'href="#trace-models-m3a"' in page


def test_a_file_without_lineage_on_the_page_stays_plain():
    page = linked(PAGE)
    assert "and <code>D</code></p>" in page
    assert "data-origin" not in page
