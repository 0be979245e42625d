"""Learning rate schedules as a recipe names them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pytorch_lightning.utilities.types import LRSchedulerConfigType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


@dataclass(frozen=True)
class Schedule:
    """A scheduler and how often it steps.

    Attributes:
        scheduler: builds it from the optimizer.
        interval: steps after every ``epoch`` or every optimizer ``step``.
        spans_training: also give it ``total_steps``, the optimizer steps of the whole training.
    """

    scheduler: Callable[..., LRScheduler]
    interval: Literal["epoch", "step"] = "epoch"
    spans_training: bool = False

    def build(self, optimizer: Optimizer, total_steps: int) -> LRSchedulerConfigType:
        """The scheduler as Lightning wants it."""
        span: dict[str, Any] = {"total_steps": total_steps} if self.spans_training else {}
        return {"scheduler": self.scheduler(optimizer, **span), "interval": self.interval}
