"""How fast a training is, what it waits for and how much memory it takes."""

import sys
import time
from dataclasses import dataclass
from typing import Any

import psutil
import pytorch_lightning as pl
import torch

from depression_vr.data.datasets import NetworkBatch

if sys.platform != "win32":
    import resource

_MIB = 2**20


@dataclass
class _Interval:
    """What was done since the last row of the log.

    Attributes:
        clips: of the batches.
        waited: seconds from the end of the batch before, or the beginning of the epoch, to that of the batch.
        worked: seconds in the batches.
    """

    clips: int = 0
    waited: float = 0.0
    worked: float = 0.0


class Throughput(pl.Callback):
    """Logs clips per second, the share of the time in which training waits for data, and peak memory.

    With every row of the log, over the batches since the row before:

    - ``throughput/clips_per_second``, of all processes together;
    - ``throughput/data_wait``, 0..1: between two batches, which is reading frames or waiting for the workers
      that do, moving clips to the device and, where that is the processor, augmenting them;
    - ``throughput/process_memory_mib``: the most that this process has held since it began, without the
      workers that read frames;
    - ``throughput/device_memory_mib``: the most that its tensors have held on the GPU in this training.

    Validation and the writing of checkpoints are left out, with the batch that they delay. The clock is that
    of the process: no step waits for the device because of it.
    """

    def __init__(self) -> None:
        self._interval = _Interval()
        self._mark: float | None = None  # when the batch before has ended, or this one begun
        self._waited = 0.0
        self._logged_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to measure, also where a run is resumed."""
        self._interval, self._mark = _Interval(), None
        self._logged_step = trainer.global_step
        if trainer.strategy.root_device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(trainer.strategy.root_device)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here an epoch waits for its first batch."""
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The batch is there."""
        if self._mark is not None:
            now = time.perf_counter()
            self._waited, self._mark = now - self._mark, now

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: NetworkBatch,
        batch_idx: int,
    ) -> None:
        """Count the batch; log with Lightning's own rows."""
        now = time.perf_counter()
        if self._mark is not None:
            self._interval.clips += len(batch.score) * trainer.world_size
            self._interval.waited += self._waited
            self._interval.worked += now - self._mark
        step = trainer.global_step
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and step % every == 0 and step != self._logged_step:
            self._log(trainer, pl_module)
            self._interval, self._logged_step = _Interval(), step
        self._mark = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What follows is no waiting for data."""
        self._mark = None

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """What follows is no waiting for data."""
        self._mark = None

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        seconds = self._interval.waited + self._interval.worked
        values = {"process_memory_mib": ("MiB", _peak_memory() / _MIB)}
        if seconds:
            values["clips_per_second"] = ("clips/s", self._interval.clips / seconds)
            values["data_wait"] = ("wait", self._interval.waited / seconds)
        device = trainer.strategy.root_device
        if device.type == "cuda":
            values["device_memory_mib"] = ("GPU MiB", torch.cuda.max_memory_allocated(device) / _MIB)
        for name, (short, number) in values.items():
            value = torch.tensor(number)  # a number would go to the device, and be fetched at every step
            pl_module.log(f"throughput/{name}", value, on_step=True, on_epoch=False)
            pl_module.log(short, value, on_step=True, on_epoch=False, prog_bar=True, logger=False)


def _peak_memory() -> int:
    """The most bytes of memory that this process has held."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts in KiB
