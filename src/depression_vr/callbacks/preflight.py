"""What must not be trained: numbers would be wrong without any error, or a run could not go on."""

import os
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.accelerators import CPUAccelerator

from depression_vr.callbacks.precision import PrecisionGuard
from depression_vr.callbacks.resume import ResumeCheckpoint
from depression_vr.errors import UserError


def refuse_wrong_gradients(trainer: pl.Trainer) -> None:
    """Refuse 16-bit training on a CPU where nothing looks after the gradients.

    torch computes wrong weight gradients there for some convolutions over small maps.

    Raises:
        UserError: the trainer is about to do that.
    """
    precision = str(trainer.precision)
    if "16" not in precision or not isinstance(trainer.accelerator, CPUAccelerator):
        return
    if "mixed" not in precision:
        raise UserError(
            f"training in {precision} on a CPU gives wrong gradients for some convolutions",
            where="config key precision",
            fix="use precision=bf16-mixed or 32-true",
        )
    guards = [callback for callback in trainer.callbacks if isinstance(callback, PrecisionGuard)]  # type: ignore[attr-defined]
    if not any(guard.check_arithmetic for guard in guards):
        raise UserError(
            f"training in {precision} on a CPU gives wrong gradients for some convolutions, and the callback "
            "that finds them is switched off",
            where="config keys precision and callbacks.precision",
            fix="switch on callbacks.precision with check_arithmetic=true, or use precision=32-true",
        )


def refuse_resuming_without_callback(trainer: pl.Trainer, folder: Path, checkpoint: Path | None) -> None:
    """Refuse what would make a resumed run another one, or its checkpoints impossible to find.

    Args:
        trainer: of a run.
        folder: of the run's checkpoints.
        checkpoint: to go on from.

    Raises:
        UserError: there is such a checkpoint and no `ResumeCheckpoint`, or one that writes elsewhere.
    """
    callbacks = [each for each in trainer.callbacks if isinstance(each, ResumeCheckpoint)]  # type: ignore[attr-defined]
    if checkpoint is not None and not callbacks:
        raise UserError(
            "a run cannot go on without what restores its position in the epoch and its random states",
            where="config key callbacks.resume",
            fix="leave the callback on",
        )
    for callback in callbacks:
        if os.path.realpath(callback.dirpath) != os.path.realpath(folder):
            raise UserError(
                f"checkpoints in {callback.dirpath} would not be found when the run is to go on",
                where="config key callbacks.resume.dirpath",
                fix="leave it out; checkpoints to go on from lie in the run directory",
            )
