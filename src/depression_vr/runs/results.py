"""From scores of windows to tables of videos and recordings and their metrics."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from depression_vr.files import write_csv, write_json
from depression_vr.learning.metrics import METRICS
from depression_vr.runs.bands import BDI_BANDS, BDI_MAXIMUM, severity_band
from depression_vr.runs.run import Run


def video_table(windows: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    """Mean over the windows of each video.

    Args:
        windows: ``video_id, window, estimate``, estimates in points.
        videos: rows of a manifest.

    Returns:
        One row per video that has windows: ``video_id, partition, subject, task, recording, label,
        estimate, windows, spread``, in the manifest's order. The spread is the standard deviation of the
        windows' estimates; 0 of one window.
    """
    of_video = windows.groupby("video_id")["estimate"]
    scored = of_video.agg(estimate="mean", windows="size").assign(spread=spread(of_video))
    keys = videos[["video_id", "partition", "subject", "task", "recording", "label"]]
    return keys.merge(scored.reset_index(), on="video_id", how="inner", validate="one_to_one")


def spread(estimates: Any) -> Any:
    """Standard deviation of the scores of a video's windows, in points; 0 of one window.

    Args:
        estimates: a series of one video, or one that is grouped by video.
    """
    return estimates.std(ddof=0)


def recording_table(videos: pd.DataFrame) -> pd.DataFrame:
    """Mean over the tasks of each recording: ``recording, label, estimate``."""
    return videos.groupby("recording", sort=False)[["label", "estimate"]].mean().reset_index()


def agreement(table: pd.DataFrame) -> dict[str, float]:
    """MAE, RMSE, CCC and Pearson's r between the columns ``estimate`` and ``label``, and the count n."""
    estimate, label = (torch.tensor(table[column].to_numpy(np.float64)) for column in ("estimate", "label"))
    return {"n": len(table), **{name: metric(estimate, label).item() for name, metric in METRICS.items()}}


def band_confusion(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Counts of rows by the band of the label (outer) and of the estimate (inner)."""
    names = [name for name, _ in BDI_BANDS]
    counts = pd.crosstab(severity_band(table["label"]), severity_band(table["estimate"]))
    whole = counts.reindex(index=names, columns=names, fill_value=0).to_numpy().tolist()
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, whole, strict=True)}


def summary(videos: pd.DataFrame, maximum: float) -> dict[str, Any]:
    """All metrics of one evaluated partition.

    Args:
        videos: as `video_table` gives it.
        maximum: highest score of the scale; severity bands are BDI-II's and left out of another scale.

    Returns:
        ``videos`` (over all), ``tasks`` (each task) and ``recordings`` (tasks of a recording averaged),
        each with the metrics of `agreement` and, as ``severity_bands``, `band_confusion`.
    """

    def measured(table: pd.DataFrame) -> dict[str, Any]:
        bands = {"severity_bands": band_confusion(table)} if maximum == BDI_MAXIMUM else {}
        return {**agreement(table), **bands}

    return {
        "videos": measured(videos),
        "tasks": {str(task): measured(rows) for task, rows in videos.groupby("task")},
        "recordings": measured(recording_table(videos)),
    }


def reference_summary(
    videos: pd.DataFrame, references: pd.DataFrame, training_mean: float
) -> dict[str, dict[str, float]]:
    """Agreement of the estimators that a network has to stand against, over the same videos.

    Args:
        videos: as `video_table` gives it.
        references: ``video_id`` and one column of scores per estimator.
        training_mean: mean label of the training partition, in points.
    """
    estimates = videos[["video_id", "label"]].merge(references, on="video_id", validate="one_to_one")
    estimates.insert(2, "mean_predictor", training_mean)
    return {
        str(name): agreement(pd.DataFrame({"estimate": column, "label": estimates["label"]}))
        for name, column in estimates.drop(columns=["video_id", "label"]).items()
    }


def write_results(
    run: Run,
    windows: pd.DataFrame,
    manifest: pd.DataFrame,
    *,
    corpus: str,
    partition: str,
    maximum: float,
    references: pd.DataFrame,
    interval_ends: pd.DataFrame | None = None,
    intervals: dict[str, Any] | None = None,
) -> None:
    """Write predictions per window and per video, and the metrics computed from them.

    Args:
        run: where to write.
        windows: ``video_id, window, first_frame, last_frame, estimate``.
        manifest: all rows of the corpus.
        corpus: its name.
        partition: the evaluated one.
        maximum: highest score of the scale.
        references: as a corpus gives them.
        interval_ends: ends of the intervals around the estimates, a row per row of `video_table`.
        intervals: how many scores they cover, or why there are none; None says nothing of them.
    """
    videos = video_table(windows, manifest)
    if interval_ends is not None:
        videos = videos.join(interval_ends)
    training_mean = manifest.loc[manifest["partition"] == "training", "label"].mean()
    write_csv(run.windows_file, windows)
    write_csv(run.predictions_file, videos)
    metrics = {"corpus": corpus, "partition": partition, **summary(videos, maximum)}
    metrics["references"] = reference_summary(videos, references, training_mean)
    if intervals is not None:
        metrics["intervals"] = intervals
    write_json(run.metrics_file, metrics)
