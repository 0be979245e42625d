"""Which process the others wait for."""

import logging
import statistics
import time
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch

from depression_vr.data.datasets import NetworkBatch
from depression_vr.distributed.gathering import of_all_processes

log = logging.getLogger(__name__)


class _Step(NamedTuple):
    """Moments of a training step, of the process or of its GPU's stream, and its clips.

    Attributes:
        left: the gradients of the step before were exchanged.
        ready: this step's batch is there.
        met: its gradients are exchanged.
        clips: of the batch.
    """

    left: Any
    ready: Any
    met: Any
    clips: int


class Pace(NamedTuple):
    """A process in an epoch.

    Attributes:
        clips: trained on.
        alone: seconds between an exchange of gradients and the next batch, in which a process waits for none.
        total: seconds.
    """

    clips: int
    alone: float
    total: float


class Stragglers(pl.Callback):
    """Logs how fast the slowest and the fastest process would be, and names one that the others wait for.

    Processes exchange gradients at every step, so all take the same time. What differs is when each is ready
    for the next step: after the optimizer's step, reading, moving and augmenting its clips, and for the first
    process logging. ``ranks/clips_per_second_min`` and ``_max`` are what a process would reach if all were
    ready when it is. A GPU that is slow in the network alone shows little: its batch norms make the others
    wait within the step.

    Logged after every epoch; nothing where there is one process, or one batch.

    Args:
        factor: how many times slower than the median a process is that is named.
    """

    def __init__(self, factor: float = 1.2) -> None:
        if factor < 1:
            raise ValueError(f"factor is {factor}, but must be 1 or more")
        self.factor = factor
        self._steps: list[_Step] = []
        self._left: Any = None
        self._ready: tuple[Any, int] | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew; the first batch of an epoch does not count, for workers may have to be started."""
        self._steps, self._left, self._ready = [], None, None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: NetworkBatch, batch_idx: int
    ) -> None:
        """The process is ready."""
        if trainer.world_size > 1:
            self._ready = _now(trainer), len(batch.score)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The processes have exchanged their gradients."""
        if self._ready is None:
            return
        met = _now(trainer)
        if self._left is not None:
            self._steps.append(_Step(self._left, self._ready[0], met, self._ready[1]))
        self._left = met

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What follows is no getting ready."""
        self._left = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the processes."""
        if not self._steps:
            return
        own = Pace(
            sum(step.clips for step in self._steps),
            sum(_seconds(step.left, step.ready) for step in self._steps),
            sum(_seconds(step.left, step.met) for step in self._steps),
        )
        rates = clips_per_second(of_all_processes(own))
        pl_module.log("ranks/clips_per_second_min", min(rates))
        pl_module.log("ranks/clips_per_second_max", max(rates))
        for rank, rate in enumerate(rates):
            pl_module.log(f"ranks/clips_per_second_{rank}", rate)
        median = statistics.median(rates)
        slowest = min(range(len(rates)), key=rates.__getitem__)
        if rates[slowest] * self.factor < median:
            log.warning(
                "warning: epoch %d: the others wait for rank %d: %.3g clips/s, and %.3g in the middle",
                trainer.current_epoch,
                slowest,
                rates[slowest],
                median,
            )


def clips_per_second(paces: list[Pace]) -> list[float]:
    """What each process would reach if all the others were ready when it is.

    >>> clips_per_second([Pace(clips=100, alone=1.0, total=10.0), Pace(clips=100, alone=6.0, total=10.0)])
    [20.0, 10.0]
    """
    longest = max(pace.alone for pace in paces)
    return [pace.clips / (pace.total - (longest - pace.alone)) for pace in paces]


def _now(trainer: pl.Trainer) -> Any:
    """This moment; on a GPU that of its stream, without waiting for it."""
    if trainer.strategy.root_device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _seconds(start: Any, end: Any) -> float:
    if isinstance(start, float):
        return end - start
    end.synchronize()
    return start.elapsed_time(end) / 1000
