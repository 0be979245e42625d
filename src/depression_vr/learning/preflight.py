"""What must not be trained or evaluated, because numbers would be wrong without any error."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator

from depression_vr.errors import UserError


def refuse_wrong_gradients(trainer: pl.Trainer) -> None:
    """Refuse 16-bit training on a CPU.

    torch computes wrong weight gradients there for 3D convolutions over maps of two time steps, and a
    network of clips of 16 frames has such maps.

    Raises:
        UserError: the trainer is about to do that.
    """
    if isinstance(trainer.accelerator, CPUAccelerator) and "16" in str(trainer.precision):
        raise UserError(
            f"training in {trainer.precision} on a CPU gives wrong gradients for some convolutions "
            f"(torch {torch.__version__}, maps of two time steps)",
            where="config key trainer.precision",
            fix="use trainer.precision=32-true; evaluation may use bf16-mixed",
        )


def refuse_several_devices(trainer: pl.Trainer) -> None:
    """Refuse more than one process: order of videos, metrics and files are those of one.

    Raises:
        UserError: the trainer has more.
    """
    if trainer.world_size > 1:
        raise UserError(
            f"this release trains and evaluates on one device, not on {trainer.world_size}",
            where="config keys trainer.devices and trainer.num_nodes",
            fix="use trainer.devices=1 trainer.num_nodes=1",
        )
