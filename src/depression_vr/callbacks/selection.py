"""Selection of a checkpoint on the development partition, where the protocol has one."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from depression_vr.data.datamodule import ClipDataModule
from depression_vr.errors import UserError

_PARTITION = "development/"


class BestOnDevelopment(ModelCheckpoint):
    """Keeps ``best.ckpt``, of the epoch with the lowest development MAE over videos.

    Keeps nothing where the datamodule's protocol does not select: the run is then evaluated by its last
    checkpoint.

    Args:
        dirpath: folder of checkpoints.
    """

    def __init__(self, dirpath: str | Path) -> None:
        super().__init__(
            dirpath=dirpath,
            filename="best",
            monitor=f"{_PARTITION}mae",
            mode="min",
            enable_version_counter=False,
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """See whether there is anything to select on.

        Raises:
            UserError: there is not, but another run has left its best checkpoint, which would be evaluated.
        """
        super().setup(trainer, pl_module, stage)
        if _selects(trainer.datamodule):  # type: ignore[attr-defined]
            return
        self.save_top_k = 0
        left = Path(str(self.dirpath)) / f"{self.filename}{self.FILE_EXTENSION}"
        if stage == "fit" and left.exists():
            raise UserError(
                "this run selects no checkpoint, but its folder has the best one of another run",
                where=str(left),
                fix="train into another folder with hydra.run.dir=FOLDER",
            )


def refuse_selection_without_development(trainer: pl.Trainer, datamodule: ClipDataModule) -> None:
    """Refuse early stopping, and checkpoints of the user's own, on a partition that the protocol has not.

    Raises:
        UserError: a callback monitors the development partition, and there is none.
    """
    if _selects(datamodule):
        return
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        monitored = getattr(callback, "monitor", None) or ""
        if monitored.startswith(_PARTITION) and not isinstance(callback, BestOnDevelopment):
            raise UserError(
                f"{type(callback).__name__} monitors {monitored}, but data.protocol="
                f"{datamodule.split.protocol} has no development partition",
                where="config keys callbacks and data.protocol",
                fix="train for a fixed number of epochs with callbacks=default, or use another protocol",
            )


def _selects(datamodule: pl.LightningDataModule | None) -> bool:
    return not isinstance(datamodule, ClipDataModule) or datamodule.selects
