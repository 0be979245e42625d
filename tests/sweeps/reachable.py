"""A study that is out of reach for a while."""

from pathlib import Path

import pytorch_lightning as pl


class BackAfter(pl.Callback):
    """Puts a study's file back in its place after an epoch.

    Args:
        file: that is to be ``study.db`` again.
        epoch: counted from 0.
    """

    def __init__(self, file: str, epoch: int) -> None:
        self.file = Path(file)
        self.epoch = epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put it back."""
        if trainer.current_epoch == self.epoch:
            self.file.rename("study.db")
