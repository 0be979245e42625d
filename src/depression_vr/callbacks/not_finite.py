"""What is not finite in a step of training, and whose clips it comes from."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

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


class StepFlags:
    """Whether the losses and gradients of a step are finite, asked on the device.

    Args:
        trainer: in training.
        pl_module: with the gradients of the step.
        parts: of the step in this process.

    Attributes:
        parts: as given.
        names: of the parameters with a gradient, within the network.
        step: number of the step.
        epoch: number of its epoch.
        norm: of all gradients together, a scalar.
        finite: bools on the device: of every part's loss, of every parameter's gradient, of the norm.
    """

    def __init__(self, trainer: pl.Trainer, pl_module: pl.LightningModule, parts: Sequence[Part]) -> None:
        gradients = {
            name: parameter.grad
            for name, parameter in pl_module.named_parameters()
            if parameter.grad is not None
        }
        self.parts = parts
        self.names = [name.removeprefix("network.") for name in gradients]
        self.step, self.epoch = trainer.global_step, trainer.current_epoch
        norms = [norm.to(pl_module.device) for norm in _norms(list(gradients.values()))]
        self.norm = torch.linalg.vector_norm(torch.stack(norms or [torch.zeros((), device=pl_module.device)]))
        numbers = torch.stack([*norms, self.norm])
        self.finite = torch.cat([torch.stack([part.finite for part in parts]), numbers.isfinite()])


def _norms(gradients: list[Tensor]) -> Sequence[Tensor]:
    """Of each; what `torch.nn.utils.get_total_norm` begins with."""
    return torch._foreach_norm(gradients) if gradients else []


class LaterLook:
    """Keeps the flags of a step until the next one, so that no step waits for a GPU."""

    def __init__(self) -> None:
        self._kept: tuple[StepFlags, Tensor, torch.cuda.Event | None] | None = None

    def keep(self, flags: StepFlags) -> None:
        """Let the flags come from the device when they are there; those that were kept are forgotten."""
        finite = flags.finite.to("cpu", non_blocking=True)
        arrived = None
        if flags.finite.is_cuda:
            arrived = torch.cuda.Event()
            arrived.record()
        self._kept = flags, finite, arrived

    def take(self) -> tuple[StepFlags, list[bool]] | None:
        """The kept flags, once; waits until they have come."""
        if self._kept is None:
            return None
        (flags, finite, arrived), self._kept = self._kept, None
        if arrived is not None:
            arrived.synchronize()
        return flags, finite.tolist()


class NotFinite:
    """Names the first of loss and gradients that is not finite, the step and the clips.

    Of several processes all have to ask for it together; they share their gradients, and get the same answer.

    Args:
        trainer: in training.
        flags: of the step.
        finite: their values.

    Attributes:
        in_loss: whether some loss is not finite.
        what: the loss or the parameter, step and epoch.
        where: the clips of the parts with such a loss, of all parts where there is none.
    """

    def __init__(self, trainer: pl.Trainer, flags: StepFlags, finite: Sequence[bool]) -> None:
        count = len(flags.parts)
        bad = [part for part, is_finite in zip(flags.parts, finite[:count], strict=True) if not is_finite]
        of_bad, of_all = (_video_ids(trainer, some) for some in (bad, flags.parts))
        self.in_loss = bool(of_bad)
        # the norm of all may be too large for float32 where no other is
        names = zip([*flags.names, "all parameters together"], finite[count:], strict=True)
        first = next((name for name, is_finite in names if not is_finite), "")
        culprit = "the loss" if self.in_loss else f"the gradient of {first}"
        self.what = f"{culprit} is not finite (step {flags.step}, epoch {flags.epoch})"
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


def _video_ids(trainer: pl.Trainer, parts: Sequence[Part]) -> list[str]:
    """Of the parts of all processes, each once."""
    rows = [row for part in parts for row in part.video.tolist()]
    manifest = getattr(trainer.datamodule, "manifest", None)  # type: ignore[attr-defined]
    if manifest is None:
        own = [f"row {row}" for row in rows]
    else:
        own = manifest.table["video_id"].iloc[rows].tolist()
    return list(dict.fromkeys(chain.from_iterable(of_all_processes(own))))
