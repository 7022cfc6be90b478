"""Each video's own embedded sound for late fusion; zeros where it has none."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.foundations.tables import mapped, tables


def sounds_of(video_ids: pa.StringArray, whitened: Path) -> np.ndarray:
    """Each video's sound as stage `whiten` leaves it, float32, B x P; zeros, which add nothing, where it has none.

    Mapped from a file, so that memory stays flat however many videos there are.

    Args:
        video_ids: of B videos.
        whitened: table of that name.

    Raises:
        PlainError: the table cannot be read, or the disk has no room.
    """
    sounds_BP = mapped.zeros(len(video_ids), tables.width("whitened", whitened, "form"))
    heard = pa.concat_tables(tables.read_stream("whitened", whitened, ["video_id"]))["video_id"]
    place, begun = pc.index_in(heard.combine_chunks(), value_set=video_ids), 0
    for group in tables.read_stream("whitened", whitened, ["form"]):
        own = place.slice(begun, group.num_rows)
        known = pc.is_valid(own)
        sounds_BP[own.filter(known).to_numpy()] = tables.vectors(group["form"].filter(known))
        begun += group.num_rows
    return sounds_BP
