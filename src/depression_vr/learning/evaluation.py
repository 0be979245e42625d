"""Runs a network over every window of a partition."""

import logging
from contextlib import nullcontext
from typing import Literal

import pandas as pd
import pytorch_lightning as pl

from depression_vr.data.datamodule import ClipDataModule
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.memory import freed_memory_kept

log = logging.getLogger(__name__)

Partition = Literal["training", "development", "test"]


def score_partition(
    trainer: pl.Trainer, module: ScoreRegression, datamodule: ClipDataModule, partition: Partition
) -> pd.DataFrame:
    """`score_windows` of another partition than the one to evaluate on; loggers get nothing of it.

    Raises:
        UserError: the partition has no videos.
    """
    datamodule.windows(partition)  # complains of an empty partition before anything is changed
    evaluated, datamodule.evaluate_on = datamodule.evaluate_on, partition
    loggers, trainer.loggers = trainer.loggers, []
    try:
        return score_windows(trainer, module, datamodule)
    finally:
        datamodule.evaluate_on, trainer.loggers = evaluated, loggers


def score_windows(trainer: pl.Trainer, module: ScoreRegression, datamodule: ClipDataModule) -> pd.DataFrame:
    """Score every window of the partition that the datamodule evaluates on, in all processes together.

    Returns:
        One row per window: ``video_id, window, first_frame, last_frame, estimate``; frames count from 0
        within the video's folder, the estimate is in points.
    """
    on_cpu = trainer.strategy.root_device.type == "cpu"
    with freed_memory_kept() if on_cpu else nullcontext():
        trainer.test(module, datamodule, verbose=False)
    scored = module.scored
    assert scored is not None
    windows = datamodule.windows(datamodule.evaluate_on)
    frames = pd.DataFrame(
        [
            (window.video, window.window, int(window.frames[0]), int(window.frames[-1]))
            for window in map(windows.window, range(len(windows)))
        ],
        columns=["video", "window", "first_frame", "last_frame"],
    )
    estimates = pd.DataFrame(
        {
            "video": scored.video.numpy(),
            "window": scored.window.numpy(),
            "estimate": scored.estimate.double().numpy(),
        }
    )
    table = frames.merge(estimates, on=["video", "window"], validate="one_to_one")
    if len(table) < len(windows):  # as debug=one_batch wants
        log.warning("warning: only %d of %d windows were scored", len(table), len(windows))
    table.insert(0, "video_id", datamodule.manifest.table["video_id"].to_numpy()[table.pop("video")])
    return table
