"""Metrics for TensorBoard, each once also in a run that was killed and resumed."""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only


class ResumableTensorBoardLogger(TensorBoardLogger):
    """Lightning's TensorBoard logger, which tells TensorBoard what comes again in a run that is resumed.

    Its rows are steps: all that is logged of a step, TensorBoard keeps together. A checkpoint is written
    between two steps, and TensorBoard leaves out what it has read before of those behind it (`purge_step`).

    Takes Lightning's arguments.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.rows = 0
        self._kwargs["purge_step"] = 0  # TensorBoard takes the second such mark for a restart, not the first

    def resume_at(self, rows: int) -> None:
        """Let TensorBoard keep so many steps; see `ResumableLogger`."""
        self.rows = rows
        self._kwargs["purge_step"] = rows

    @rank_zero_only
    def log_hyperparams(self, *arguments: Any, **settings: Any) -> None:
        """Show the settings, unless they are there."""
        if self.rows == 0:
            super().log_hyperparams(*arguments, **settings)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log a row."""
        if step is not None:  # settings have none
            self.rows = max(self.rows, step + 1)
        super().log_metrics(metrics, step)
