"""Each video's own embedded sound for late fusion; zeros where it has none."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.foundations.tables import tables


def sounds_of(video_ids: pa.StringArray, whitened: Path) -> np.ndarray:
    """Each video's sound as stage `whiten` leaves it, float32, B x P; zeros, which add nothing, where it has none.

    Args:
        video_ids: of B videos.
        whitened: table of that name.

    Raises:
        PlainError: the table cannot be read.
    """
    sounds_BP = np.zeros((len(video_ids), tables.width("whitened", whitened, "form")), np.float32)
    for group in tables.read_stream("whitened", whitened):
        place = pc.index_in(group["video_id"], value_set=video_ids).combine_chunks()
        heard = pc.is_valid(place)
        sounds_BP[place.filter(heard).to_numpy()] = tables.vectors(group["form"].filter(heard))
    return sounds_BP
