"""Learning curves, written by DVCLive as training goes, for `dvc plots` and the report."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.train.state import Record


class Curves:
    """One row an epoch, counted from 1, in a file for each name. No times are written: same run, same bytes.

    What an earlier, interrupted run wrote is written again from its history, so that nothing is there twice.
    """

    def __init__(self, folder: Path, history: Iterable[Record]) -> None:
        from dvclive import Live  # brings DVC along

        self._live = Live(str(folder), dvcyaml=None, save_dvc_exp=False)
        self._live.step = 1
        for record in history:
            self.log(record)

    def log(self, record: Record) -> None:
        """Add an epoch."""
        for name, value in record.items():
            self._live.log_metric(name, value)
        self._live.next_step()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.end()
