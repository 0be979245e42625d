"""What must not be trained or evaluated, because numbers would be wrong without any error."""

import pytorch_lightning as pl
from pytorch_lightning.accelerators import CPUAccelerator

from depression_vr.callbacks.precision import PrecisionGuard
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
