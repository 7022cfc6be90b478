"""Give each action the mean vector of its name's words."""

from pathlib import Path

from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.lexicon import text
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the `text` table."""
    actions = tables.read("actions", Path("data/index/actions.parquet"))
    built = text.build(actions, Path("models/pretrained/words.bin"), params.words.size)
    tables.write("text", Path("data/lexicons/text.parquet"), built.table)
    line = f"{built.table.num_rows:,} actions x {params.words.size}"
    line += f"; words without a vector: {', '.join(built.missing)}" if built.missing else ""
    return line + (f"; {len(built.bare):,} actions have none and are zeros" if built.bare else "")


if __name__ == "__main__":
    main()
