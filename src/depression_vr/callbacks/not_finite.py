"""What is not finite in a step of training, and whose clips it comes from."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import pytorch_lightning as pl
from torch import Tensor, nn

from depression_vr.distributed.gathering import of_all_processes
from depression_vr.errors import UserError


class Part(NamedTuple):
    """One batch of a step; a step that accumulates gradients has several.

    Attributes:
        video: ``(B,)``, rows of the manifest.
        finite: whether its loss is.
    """

    video: Tensor
    finite: Tensor


class NotFinite:
    """Names the first of loss and gradients that is not finite, the step and the clips.

    Of several processes all have to ask for it together; they share their gradients, and get the same answer.

    Args:
        trainer: in training.
        network: with the gradients of the step.
        parts: of the step in this process.
        losses: whether the loss of each part is finite.

    Attributes:
        in_loss: whether some loss is not finite.
        what: the loss or the parameter, step and epoch.
        where: the clips of the parts with such a loss, of all parts where there is none.
    """

    def __init__(
        self, trainer: pl.Trainer, network: nn.Module, parts: Sequence[Part], losses: Sequence[bool]
    ) -> None:
        bad = [part for part, is_finite in zip(parts, losses, strict=True) if not is_finite]
        of_bad, of_all = (_video_ids(trainer, some) for some in (bad, parts))
        self.in_loss = bool(of_bad)
        culprit = "the loss" if self.in_loss else f"the gradient of {_first_not_finite(network)}"
        self.what = f"{culprit} is not finite (step {trainer.global_step}, epoch {trainer.current_epoch})"
        self.where = f"clips of {', '.join(of_bad or of_all)}"
        self._is_mixed = "mixed" in str(trainer.precision)

    def error(self, why: str = "") -> UserError:
        """The error that ends the training.

        Args:
            why: it ends only now.
        """
        in_full = "train with precision=32-true, " if self._is_mixed else ""
        return UserError(
            f"{why}{self.what}",
            where=self.where,
            fix=f"lower optim.optimizer.lr, {in_full}look at these clips and their labels, or leave such "
            "steps out with callbacks.precision.policy=skip",
        )


def _first_not_finite(network: nn.Module) -> str:
    for name, parameter in network.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            return name
    return "all parameters together"  # its norm: no single number is too large for float32


def _video_ids(trainer: pl.Trainer, parts: Sequence[Part]) -> list[str]:
    """Of the parts of all processes, each once."""
    rows = [row for part in parts for row in part.video.tolist()]
    manifest = getattr(trainer.datamodule, "manifest", None)  # type: ignore[attr-defined]
    if manifest is None:
        own = [f"row {row}" for row in rows]
    else:
        own = manifest.table["video_id"].iloc[rows].tolist()
    return list(dict.fromkeys(chain.from_iterable(of_all_processes(own))))
