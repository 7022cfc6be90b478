"""Stage `whiten`, as a person would run it."""

from pathlib import Path

import numpy as np

from pipeline.foundations.tables import tables
from stages import whiten


def test_the_stage_whitens_what_it_finds(sounding_project, capfd):
    embeddings = np.random.default_rng(0).standard_normal((3, 384)).astype(np.float32)
    columns = {"video_id": ["hum", "knock", "short"], "embedding": embeddings}
    tables.write("vggish", Path("data/features/vggish.parquet"), tables.from_columns("vggish", columns))
    whiten.main()
    table = tables.read("whitened", Path("data/features/whitened.parquet"))
    assert table["video_id"].to_pylist() == ["hum", "knock", "short"]
    training = tables.vectors(table["form"])[:2].reshape(6, 128).astype(np.float64)
    np.testing.assert_allclose(np.cov(training[:, :5], rowvar=False), np.eye(5), atol=1e-4)
    assert tables.read("whitening", Path("data/features/whitening.parquet")).num_rows == 128
    said = capfd.readouterr().err
    assert "whiten: 3 videos whitened; fitted on 6 training patches, 5 of 128 components vary" in said
