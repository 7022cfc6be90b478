"""A run's records for TensorBoard, for those who watch there: `execution.tensorboard` names the folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.foundations.runtime.extras import require
from pipeline.train.state import Record

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Board:
    """Events of one run, an epoch at a time, counted from 1.

    They carry the time, so they are no output of a stage: they lie wherever the person says, outside what DVC tracks.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = _writer(folder)
        self._epoch = 0

    def log(self, record: Record) -> None:
        """Add an epoch, there for TensorBoard to see at once."""
        self._epoch += 1
        for name, value in record.items():
            self._writer.add_scalar(name, value, self._epoch)  # type: ignore[no-untyped-call]
        self._writer.flush()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close the file."""
        self._writer.close()  # type: ignore[no-untyped-call]


def _writer(folder: Path) -> "SummaryWriter":
    """PyTorch's writer; what an interrupted run of the same inputs wrote there counts no more.

    Raises:
        PlainError: TensorBoard is not installed.
    """
    require("tensorboard", f"execution.tensorboard: {folder.parent}")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=1)  # type: ignore[no-untyped-call]
