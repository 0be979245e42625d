"""Calibrating a network, and finding the calibration that belongs to it."""

import hashlib
import logging
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch

from depression_vr.data.datamodule import ClipDataModule
from depression_vr.intervals.applied import Intervals
from depression_vr.intervals.calibration import Calibration, Clips, read_calibration
from depression_vr.intervals.known_videos import roles_in_training
from depression_vr.learning.evaluation import Partition, score_partition
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.runs.results import video_table
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)


def calibrate(
    trainer: pl.Trainer,
    module: ScoreRegression,
    datamodule: ClipDataModule,
    partition: Partition,
    *,
    selected_on: bool | None,
) -> Calibration | None:
    """Score every window of a partition, and keep how wrong the videos' scores were.

    Args:
        trainer: that evaluates; its loggers get nothing of it.
        module: with the weights to calibrate.
        datamodule: of the corpus.
        partition: whose videos the network was not trained on.
        selected_on: whether its checkpoint was selected on them; None where that is not known.

    Returns:
        None, with a warning, where scores are not finite.
    """
    windows = score_partition(trainer, module, datamodule, partition)
    manifest = datamodule.manifest
    videos = video_table(windows, manifest.table)
    kept = one_of_each_subject(videos)
    residuals = (kept["estimate"] - kept["label"]).abs()
    if not np.isfinite(residuals).all():
        log.warning("warning: there will be no intervals: some scores are not finite")
        return None
    order = residuals.argsort()  # that of the corpus would say whose they are
    return Calibration(
        corpus=manifest.corpus,
        dataset=manifest.fingerprint,
        partition=partition,
        videos=len(videos),
        selected_on=selected_on,
        maximum=manifest.maximum,
        weights=weights_digest(module),
        clips=_clips(datamodule),
        residuals=tuple(residuals.iloc[order]),
        spreads=tuple(kept["spread"].iloc[order]),
    )


def one_of_each_subject(videos: pd.DataFrame) -> pd.DataFrame:
    """One row of each subject, drawn by a digest of the video ids: the same whatever else the table holds."""
    drawn = videos["video_id"].map(lambda video_id: hashlib.sha256(video_id.encode()).hexdigest())
    return videos.loc[drawn.sort_values().index].drop_duplicates("subject")


def intervals_for(
    run: Run | None, module: ScoreRegression, datamodule: ClipDataModule, confidence: float
) -> Intervals:
    """The intervals for a network's estimates, from the calibration of its run if that belongs to it.

    Args:
        run: that may have a calibration; None for weights from elsewhere.
        module: with the weights that estimate.
        datamodule: that cuts the clips.
        confidence: between 0 and 1.

    Raises:
        UserError: the run's calibration is damaged.
    """
    calibration = None if run is None else read_calibration(run)
    if run is None:
        reason: str | None = "weights without a run have no calibration"
    elif calibration is None:
        reason = _none_stored(run)
    elif calibration.weights != weights_digest(module):
        reason = "the run's calibration is of another checkpoint"
    elif calibration.clips != _clips(datamodule):
        reason = "the run's calibration is for clips that are cut or normalised otherwise"
    else:
        reason = calibration.too_few(confidence)
    return Intervals(confidence, None if reason else calibration, reason)


def _none_stored(run: Run) -> str:
    missing = f"the run has no {run.calibration_file.name}"
    if run.config().data.get("protocol") == "train_dev_merged":
        return (
            f"{missing}, as data.protocol=train_dev_merged leaves no videos to calibrate; "
            "python -m depression_vr.calibrate takes those of another corpus, data=..."
        )
    return f"{missing}; python -m depression_vr.calibrate makes one, or says why not"


def intervals_for_partition(
    run: Run | None, module: ScoreRegression, datamodule: ClipDataModule, confidence: float
) -> Intervals:
    """`intervals_for` the videos that the datamodule evaluates on, if they are new to the network.

    Intervals promise nothing of videos that were trained on or calibrated on, nor of another scale.

    Raises:
        UserError: the run's calibration is damaged.
    """
    found = intervals_for(run, module, datamodule, confidence)
    if run is None or found.calibration is None:
        return found
    reason = _not_new(run, datamodule, found.calibration)
    return found if reason is None else Intervals(confidence, None, reason)


def _not_new(run: Run, datamodule: ClipDataModule, calibration: Calibration) -> str | None:
    """Why a calibration says nothing of the evaluated videos; None where it does."""
    manifest, partition = datamodule.manifest, datamodule.evaluate_on
    if manifest.maximum != calibration.maximum:
        return (
            f"the scale ends at {manifest.maximum:g}, and that of the calibration at {calibration.maximum:g}"
        )
    if (calibration.dataset, calibration.partition) == (manifest.fingerprint, partition):
        return "these are the videos that the intervals are calibrated on"
    roles = roles_in_training(run, datamodule)
    if roles is None:
        return None
    known = roles.iloc[manifest.rows(partition)]
    if trained := int((known == "training").sum()):
        return f"the network was trained on {trained} of the {len(known)} videos"
    is_own = calibration.dataset == run.record()["dataset"]["fingerprint"]
    if is_own and (calibrating := int((known == calibration.partition).sum())):
        return f"the intervals are calibrated on {calibrating} of the {len(known)} videos"
    return None


def weights_digest(module: ScoreRegression) -> str:
    """SHA-256 of the weights of the network and of its scale."""
    digest = hashlib.sha256()
    for part in (module.network, module.scale):
        for name, tensor in sorted(part.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _clips(datamodule: ClipDataModule) -> Clips:
    height, width = datamodule.views.size
    shape, normalisation = datamodule.shape, datamodule.preparation.normalisation
    return Clips(
        length=shape.length,
        step=shape.step,
        size=(height, width),
        read_at=datamodule.read_at,
        regions=tuple(astuple(region) for region in datamodule.views.regions),
        mean=normalisation.mean,
        std=normalisation.std,
    )
