"""Lightning's progress bar, in words of this field and narrow enough for a terminal of 80 columns."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from rich.progress import ProgressColumn, TimeRemainingColumn

_BAR_WIDTH = 10
_FORMATS = {"clips/s": ".1f", "wait": ".0%", "MiB": ".0f", "GPU MiB": ".0f"}


class TrainingProgress(RichProgressBar):
    """Bars of epochs and evaluations, with what `Throughput` and the network log for them."""

    @property
    def test_description(self) -> str:
        """An evaluation; which partition it is of, where that is known."""
        partition = getattr(self.trainer.datamodule, "evaluate_on", "")  # type: ignore[attr-defined]
        return f"Scoring {partition}".rstrip()

    def configure_columns(self, trainer: pl.Trainer) -> list[ProgressColumn]:
        """Leave room for the metrics: clips/s stand there, and the time that has passed in the record."""
        description, bar, batches, *_ = super().configure_columns(trainer)
        bar.bar_width = _BAR_WIDTH
        return [description, bar, batches, TimeRemainingColumn()]

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The metrics as they are shown, without the number of a logger's version."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return {
            name: f"{value:{_FORMATS[name]}}" if name in _FORMATS else value
            for name, value in metrics.items()
        }
