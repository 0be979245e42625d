"""What a logger needs so that a resumed run logs no row twice and loses none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from pytorch_lightning.loggers import Logger

from depression_vr.runs.resume_files import KEY


@runtime_checkable
class ResumableLogger(Protocol):
    """A logger that counts its rows.

    Attributes:
        rows: how many rows the run has logged so far, those before a resume included.
    """

    rows: int

    def resume_at(self, rows: int) -> None:
        """Go on after so many rows; to be called before anything is logged. 0 begins anew, in the same place.

        Rows behind them, which an interrupted process had logged since its last checkpoint, come again.
        """
        ...


def resume_loggers(loggers: Sequence[Logger], checkpoint: Path | None) -> None:
    """Let the loggers go on behind the rows that they had written when the checkpoint was written."""
    rows: dict[str, int] = {}
    if checkpoint is not None:
        content: dict[str, Any] = torch.load(checkpoint, weights_only=True, mmap=True, map_location="cpu")
        rows = content[KEY]["rows"]
    for logger in loggers:
        if isinstance(logger, ResumableLogger):
            logger.resume_at(rows.get(type(logger).__name__, 0))
