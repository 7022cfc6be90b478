"""Learning curves, written by DVCLive as training goes, for `dvc plots` and the report."""

from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.train.board import Board
from pipeline.train.state import Record


class Curves:
    """One row an epoch, counted from 1, in a file for each name. No times are written: same run, same bytes.

    The folder starts empty: a run that goes on logs its finished epochs again. TensorBoard gets the same where a
    folder for it is named.

    Raises:
        PlainError: one is named, and TensorBoard is not installed.
    """

    def __init__(self, folder: Path, *, board: Path | None) -> None:
        from dvclive import Live  # brings DVC along

        self._board = Board(board) if board else None
        self._live = Live(str(folder), dvcyaml=None, save_dvc_exp=False)
        self._live.step = 1

    def log(self, record: Record) -> None:
        """Add an epoch."""
        for name, value in record.items():
            self._live.log_metric(name, value)
        self._live.next_step()
        if self._board:
            self._board.log(record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.end()
        if self._board:
            self._board.close()
