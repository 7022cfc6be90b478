"""The bookkeeping that is measured is that of the stages."""

from pipeline.bench.annotations import write_rows
from pipeline.bench.bookkeeping import book, bookkeeping
from pipeline.foundations.tables import tables


def test_tables_come_out_for_every_video(corpus):
    write_rows(corpus.folder / "900", videos=900)
    assert book(corpus, 900) == 1
    assert tables.read("videos", corpus.folder / "900/videos.parquet").num_rows == 918
    assert 800 < tables.read("splits", corpus.folder / "900/train.parquet").num_rows <= 900
    assert tables.read("adjacency", corpus.folder / "900/adjacency.parquet").num_rows == 313**2


def test_a_line_compares_the_two_sizes(corpus):
    (line,) = bookkeeping(corpus, many=400, few=200)
    assert (line.name, line.bound, line.target) == ("bookkeeping", "at most", 4.4)
    assert "400 training videos" in line.what
