"""Tables and plots of a run's results, as W&B shows them."""

from typing import Any

import pandas as pd
import wandb

from depression_vr.loggers.wandb_privacy import SaltedIds
from depression_vr.runs.bands import BDI_BANDS, severity_band
from depression_vr.runs.run import Run

_BANDS = [name for name, _ in BDI_BANDS]
_CURVES = {"training": "training/mae_epoch", "development": "development/mae"}


def predictions_table(run: Run, ids: SaltedIds, *, share_ids: bool) -> pd.DataFrame:
    """One row per evaluated video.

    Args:
        run: evaluated.
        ids: that stand for the videos.
        share_ids: the videos' own ids stand there, and their recordings and subjects as well.

    Returns:
        ``video, partition, task, score, estimate, error`` in points, the error being estimate minus score,
        and on BDI-II's scale ``score_band, estimate_band``. The rows are in the order of the column
        ``video``: that of the corpus would say which is which.
    """
    videos = run.predictions()
    table = pd.DataFrame(
        {
            "video": videos["video_id"] if share_ids else videos["video_id"].map(ids.of),
            **({name: videos[name] for name in ("recording", "subject")} if share_ids else {}),
            "partition": videos["partition"],
            "task": videos["task"],
            "score": videos["label"],
            "estimate": videos["estimate"],
            "error": videos["estimate"] - videos["label"],
        }
    )
    if has_bands(run):
        for name in ("score", "estimate"):
            table[f"{name}_band"] = severity_band(table[name]).astype(str)
    return table.sort_values("video", ignore_index=True)


def has_bands(run: Run) -> bool:
    """Whether the scores of an evaluated run are on the scale that severity bands are defined on."""
    return "severity_bands" in run.metrics()["videos"]


def results_row(run: Run, predictions: pd.DataFrame) -> dict[str, Any]:
    """The tables and plots of an evaluated run by their keys, for one call of W&B's ``log``.

    Args:
        run: evaluated.
        predictions: as `predictions_table` gives them.
    """
    row: dict[str, Any] = {
        "results/predictions": wandb.Table(dataframe=predictions),
        "results/scatter": wandb.plot.scatter(
            wandb.Table(dataframe=predictions[["score", "estimate"]]),
            "score",
            "estimate",
            title="Estimate against score",
            split_table=True,
        ),
    }
    if has_bands(run):
        row["results/error_by_band"] = _error_by_band(predictions)
        row["results/band_confusion"] = wandb.plot.confusion_matrix(
            y_true=[_BANDS.index(band) for band in predictions["score_band"]],
            preds=[_BANDS.index(band) for band in predictions["estimate_band"]],
            class_names=_BANDS,
            title="Severity bands",
            split_table=True,
        )
    curves = _curves(run)
    return row if curves is None else row | {"results/curves": curves}


def _error_by_band(predictions: pd.DataFrame) -> Any:
    errors = predictions["error"].abs().groupby(predictions["score_band"]).agg(["mean", "size"])
    table = wandb.Table(
        columns=["band", "mean absolute error", "videos"],
        data=[[band, errors["mean"][band], errors["size"][band]] for band in _BANDS if band in errors.index],
    )
    return wandb.plot.bar(
        table,
        "band",
        "mean absolute error",
        title="Mean absolute error by severity band",
        split_table=True,
    )


def _curves(run: Run) -> Any:
    """MAE over epochs, with those of the best and of the last checkpoint; None where it was not logged."""
    if not run.curves_file.is_file():
        return None
    logged = pd.read_csv(run.curves_file)
    curves = {
        name: logged[["epoch", column]].dropna().set_index("epoch")[column]
        for name, column in _CURVES.items()
        if column in logged
    }
    selecting = curves.get("development")
    if selecting is not None:
        curves["best"] = selecting.nsmallest(1)
        curves["last"] = selecting.iloc[[-1]]
    if not curves:
        return None
    return wandb.plot.line_series(
        xs=[curve.index.tolist() for curve in curves.values()],
        ys=[curve.tolist() for curve in curves.values()],
        keys=list(curves),
        title="MAE over epochs",
        xname="epoch",
        split_table=True,
    )


def reference_metrics(run: Run) -> dict[str, float]:
    """Metrics of the estimators that the network stands against, by keys such as ``references/NAME/mae``."""
    return {
        f"references/{name}/{metric}": value
        for name, metrics in run.metrics()["references"].items()
        for metric, value in metrics.items()
        if value is not None
    }


def keep_in_run_directory(run: Any, row: dict[str, Any]) -> None:
    """Let tables be files of the run only.

    W&B would make an artifact of each as well, with files in the user's home that an offline run needs when
    it is sent, and the path to them in its records.
    """
    for key, shown in row.items():
        table: Any = shown
        table_key = key
        if not isinstance(shown, wandb.Table):
            shown.set_key(key)
            table, table_key = shown.table, shown.spec.table_key
        table.bind_to_run(run, table_key, run.step)
