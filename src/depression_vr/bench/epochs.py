"""Rows about epochs: whether a clip takes as long in a long epoch as in a short one."""

import csv
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from PIL import Image
from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr import assembly
from depression_vr.bench.rows import Goal, Measure, Row
from depression_vr.configs import compose

_FRAMES = 4  # of each video
_LONGER = (4, 16)  # epochs, than the short ones
_LINEAR = Goal("ratio", least=0.95, most=1.05)


@dataclass(frozen=True)
class EpochsBenchmark:
    """Trainings on tiny clips of a network that does next to nothing: what takes time is all around it.

    Reading, augmentation, batches, callbacks and the log are those of every training, without checkpoints.

    Attributes:
        clips: of the short epochs; the corpus has 16 times as many videos.
        batch_size: clips.
        size: side of the frames, pixels.
        num_workers: processes that read frames; 0 reads them in this one.
    """

    clips: PositiveInt
    batch_size: PositiveInt
    size: PositiveInt
    num_workers: NonNegativeInt = 0

    def rows(self, folder: Path) -> Sequence[Row]:
        """Write the corpus and a table of it for each length of epochs, and train a short one once."""
        for times in (1, *_LONGER):
            self._write(folder, times)
        self._seconds_per_clip(folder, 1)
        short = self._measure(folder, 1)
        return [Row(f"epochs {times}x", self._measure(folder, times), short, _LINEAR) for times in _LONGER]

    def _measure(self, folder: Path, times: int) -> Measure:
        what = f"a training clip of an epoch of {times * self.clips}, from its start to the next one's"
        return Measure(what, "s", partial(self._seconds_per_clip, folder, times))

    def _write(self, folder: Path, times: int) -> None:
        generator = np.random.default_rng(0)
        lines = []
        for video in range(times * self.clips):
            frames = folder / f"video_{video}"
            lines.append((frames.name, video % 40, "training"))
            if frames.exists():
                continue
            frames.mkdir()
            for frame in range(_FRAMES):
                pixels = generator.integers(0, 256, (self.size, self.size, 3), np.uint8)
                Image.fromarray(pixels).save(frames / f"{frame}.jpg")
        rows = [("path", "label", "partition"), *lines]
        with _table(folder, times).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)

    def _seconds_per_clip(self, folder: Path, times: int) -> float:
        epochs = max(_LONGER) // times
        config = compose(
            "train",
            [
                "model=mean_baseline",
                "data=csv",
                f"data.table='{_table(folder, times)}'",
                f"data.clip_length={_FRAMES}",
                f"data.size={self.size}",
                f"data.batch_size={self.batch_size}",
                f"data.num_workers={self.num_workers}",
                "data.protocol=train_dev_merged",
                f"trainer.max_epochs={epochs + 2}",
                "trainer.accelerator=cpu",
                "+trainer.enable_progress_bar=false",
                "+trainer.enable_checkpointing=false",
                *(f"callbacks.{name}=null" for name in ("progress", "checkpoint", "last", "resume")),
                "logger=csv",
                "name=run",
                "network=mean_baseline",
                f"run_dir='{folder / 'run'}'",
            ],
        )
        datamodule = assembly.build_datamodule(config)
        module = assembly.build_regression(config)
        module.scale.fit(datamodule.training_labels())
        trainer = assembly.build_trainer(config)
        epoch_times = _EpochTimes(epochs)
        trainer.callbacks.insert(0, epoch_times)  # type: ignore[attr-defined]
        trainer.fit(module, datamodule)
        return epoch_times.seconds() / (epochs * times * self.clips)


class _EpochTimes(pl.Callback):
    """Times so many epochs, each to the start of the next one, and ends the one that comes after them.

    The first epoch, in which a training gets going, is not counted.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._starts: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        """One has ended, with all that follows its last step, and one begins."""
        self._starts.append(time.perf_counter())

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """The last epoch had only to begin."""
        trainer.should_stop = len(self._starts) == self.epochs + 2

    def seconds(self) -> float:
        """Of all epochs but the first together."""
        return self._starts[self.epochs + 1] - self._starts[1]


def _table(folder: Path, times: int) -> Path:
    return folder / f"{times}x.csv"
