import numpy as np
import pyarrow as pa

from pipeline.foundations.tables import tables
from pipeline.model.sounds import sounds_of


def test_every_video_gets_its_own_sound_and_a_silent_one_zeros(miniature):
    table = tables.read("whitened", miniature.inputs.whitened)
    own = dict(zip(table["video_id"].to_pylist(), tables.vectors(table["form"]), strict=True))
    sounds = sounds_of(pa.array(["v04", "v01", "v00", "nobody"]), miniature.inputs.whitened)
    assert sounds.dtype == np.float32
    assert np.array_equal(sounds[[0, 2]], [own["v04"], own["v00"]])
    assert not sounds[[1, 3]].any()
