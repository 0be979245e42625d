"""Checkpoints from which a killed training goes on as if it had not been killed."""

import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from depression_vr.callbacks.stopping import StopSignals
from depression_vr.data.datamodule import ReadClipKey
from depression_vr.data.datasets import EpochPosition
from depression_vr.distributed.gathering import of_all_processes
from depression_vr.errors import UserError
from depression_vr.learning.loop_state import begin_epoch, resumable
from depression_vr.learning.random_state import random_state, set_random_state
from depression_vr.loggers.resumable import ResumableLogger
from depression_vr.runs.relocation import renamed
from depression_vr.runs.resume_files import KEY, keep_best, put_back_best, remove_resume_files, resume_file

_SECONDS_BEFORE_VALIDATION = 60
_CONTINUE, _SAVE, _STOP = range(3)


class ResumeCheckpoint(pl.Callback):
    """Writes all that a training is, every few minutes or steps and when it is asked to stop.

    A checkpoint is written just before a batch begins, when the gradients of no batch wait for others and
    every metric has been logged. It holds, beside what Lightning stores, the position in the epoch, the
    random states of every process and the rows that loggers have written. Before the validation of an epoch
    one is written as well, when the newest is more than a minute old: an interrupt ends a validation at once.

    It has to be before the callbacks that log: what those do in the hook that it writes in comes again.

    Ctrl-C, SIGTERM and SLURM's signals end the training after the step and a checkpoint. Ctrl-C twice ends it
    at once.

    Args:
        dirpath: folder of checkpoints.
        every_n_minutes: of training; None for never.
        every_n_steps: optimizer steps; None for never.
        keep: how many are kept, the newest.
    """

    def __init__(
        self,
        dirpath: str | Path,
        every_n_minutes: float | None = 10,
        every_n_steps: int | None = None,
        keep: int = 2,
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep is {keep}, but at least one checkpoint is needed to go on from")
        for name, value in (("every_n_minutes", every_n_minutes), ("every_n_steps", every_n_steps)):
            if value is not None and value <= 0:
                raise ValueError(f"{name} is {value}, but must be above 0, or null for never")
        self.dirpath = Path(dirpath)
        self.every_n_minutes = every_n_minutes
        self.every_n_steps = every_n_steps
        self.keep = keep
        self._signals = StopSignals()
        self._saved_at = time.monotonic()
        self._batches: int | None = None  # of the epoch, done; only while a checkpoint of ours is written
        self._random_states: list[dict[str, Any]] = []  # of a loaded checkpoint, one per process
        self._metrics: dict[str, torch.Tensor] = {}  # as they were then, for callbacks that monitor one
        self._should_stop = False  # as an early stop had asked when the loaded checkpoint was written

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen for signals, after Lightning, which would write its checkpoint in the middle of a step."""
        self._saved_at = time.monotonic()
        self._signals.listen(says_so=trainer.is_global_zero)
        if self._random_states and trainer.datamodule.position.clips == 0:  # type: ignore[attr-defined]
            begin_epoch(trainer)
        trainer.callback_metrics.update(self._metrics)
        trainer.should_stop = trainer.should_stop or self._should_stop

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before the first batch of an epoch."""
        self._before_batch(trainer, 0)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Before any other batch."""
        if batch_idx > 0:
            self._before_batch(trainer, batch_idx)

    def _before_batch(self, trainer: pl.Trainer, batches: int) -> None:
        if self._random_states:  # the moment that the loaded checkpoint was written at
            set_random_state(self._random_states[trainer.global_rank], trainer.strategy.root_device)
            self._random_states = []
        elif batches % trainer.accumulate_grad_batches == 0:
            wish = self._agreed(trainer, self._wish(trainer, batches))
            if wish != _CONTINUE and trainer.global_step > 0:
                self._save(trainer, batches)
            if wish == _STOP:
                raise self._signals.error()

    def _wish(self, trainer: pl.Trainer, batches: int) -> int:
        if self._signals.received is not None:
            return _STOP
        seconds = time.monotonic() - self._saved_at
        if self.every_n_minutes is not None and seconds >= 60 * self.every_n_minutes:
            return _SAVE
        if self.every_n_steps is not None and trainer.global_step % self.every_n_steps == 0:
            return _SAVE
        last = (int(trainer.num_training_batches) - 1) // trainer.accumulate_grad_batches
        if batches == last * trainer.accumulate_grad_batches and seconds >= _SECONDS_BEFORE_VALIDATION:
            return _SAVE
        return _CONTINUE

    def _agreed(self, trainer: pl.Trainer, wish: int) -> int:
        """The most that any process wishes: all write a checkpoint together, or none does."""
        if trainer.world_size == 1:
            return wish
        wishes = torch.tensor(wish, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(wishes, reduce_op="max"))

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """End a validation in the middle when a signal has come; the training repeats it."""
        if self._agreed(trainer, _STOP if self._signals.received else _CONTINUE) == _STOP:
            raise self._signals.error()

    def _save(self, trainer: pl.Trainer, batches: int) -> None:
        for logger in trainer.loggers:
            logger.save()
        file = resume_file(self.dirpath, trainer.global_step)
        if trainer.is_global_zero:
            keep_best(file)
        self._batches = batches
        try:
            trainer.save_checkpoint(file)
        finally:
            self._batches = None
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            remove_resume_files(self.dirpath, self.keep)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what Lightning leaves out, to our own checkpoints."""
        if self._batches is None:
            return
        checkpoint["loops"] = resumable(checkpoint["loops"], self._batches)
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        own = [(*clip, frames) for clip, frames in datamodule.substituted.items()]
        checkpoint[KEY] = {
            "epoch": trainer.current_epoch,
            "clips": self._batches * datamodule.batch_size,
            "should_stop": trainer.should_stop,
            # an epoch without validation is judged by the metrics of the one before
            "metrics": {name: value.cpu() for name, value in trainer.callback_metrics.items()},
            "substituted": [each for of_one in of_all_processes(own) for each in of_one],
            "rows": {
                type(logger).__name__: logger.rows
                for logger in trainer.loggers
                if isinstance(logger, ResumableLogger)
            },
            "folder": os.path.realpath(self.dirpath),
            "random_states": of_all_processes(random_state(trainer.strategy.root_device)),
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take the position in the epoch, the best checkpoint of then, and random states for the start.

        Raises:
            UserError: it was written by another number of processes.
        """
        if KEY not in checkpoint:
            return
        state = checkpoint[KEY]
        if len(state["random_states"]) != trainer.world_size:
            raise UserError(
                f"the run was interrupted in {len(state['random_states'])} processes and cannot go on "
                f"in {trainer.world_size}",
                where="config keys trainer.devices and trainer.num_nodes",
                fix="use as many as before",
            )
        self._random_states = state["random_states"]
        self._should_stop = state["should_stop"]
        self._metrics = state["metrics"]
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        datamodule.position = EpochPosition(state["epoch"], state["clips"])
        datamodule.substituted = {ReadClipKey(*clip): frames for *clip, frames in state["substituted"]}
        now = os.path.realpath(self.dirpath)
        checkpoint["callbacks"] = renamed(checkpoint["callbacks"], state["folder"], now)
        if trainer.is_global_zero:
            put_back_best(resume_file(self.dirpath, checkpoint["global_step"]))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the signals back, after an error Lightning does; and end here when one came in the last step.

        Raises:
            StoppedError: it did. The run goes on from the checkpoint before that step.
        """
        self._signals.leave()
        if self._agreed(trainer, _STOP if self._signals.received else _CONTINUE) == _STOP:
            raise self._signals.error()
