"""What the dashboard shows of the runs: panels over the keys that the W&B logger and the callbacks log."""

from wandb_workspaces.reports.v2 import interface as wr

VARIANT = "variant"
"""The key of the config that seeds of one recipe share, and no ablation or protocol shares with another."""
TRAININGS = "JobType = 'training'"
"""Trials of sweeps are no seeds of one network: they are left out."""

COLUMNS = (
    "run:displayName",
    "config:corpus.value",
    "config:network.value",
    "config:experiment.value",
    "config:fingerprint.value",
    "config:seed.value",
    "summary:test/mae",
    "summary:test/rmse",
    "summary:test/ccc",
    "summary:development/mae.min",
    "run:duration",
)
"""Of the table of runs."""

_METRICS = {
    "test/mae": "Test MAE (points)",
    "test/rmse": "Test RMSE (points)",
    "test/ccc": "Test CCC",
    "development/mae.min": "Lowest development MAE (points)",
}
_MEAN_PREDICTOR = "references/mean_predictor/mae"
_STEP = "trainer/global_step"
_SPEED = {
    "throughput/clips_per_second": "Clips per second",
    "throughput/data_wait": "Share of time that waits for data",
    "throughput/process_memory_mib": "Peak memory of the process (MiB)",
    "throughput/device_memory_mib": "Peak memory of the GPU (MiB)",
}
_PRECISION = {
    "precision/gradient_norm": "Gradient norm",
    "precision/skipped_steps": "Skipped steps",
    "precision/loss_scale": "Loss scale (float16)",
}


def comparison(group: wr.Config | None) -> list[wr.PanelTypes]:
    """Test and selection metrics of each group: mean and range over its runs.

    Args:
        group: what the runs are grouped by; None for as the table of runs is.
    """
    bars = [
        _over_seeds(f"{title}: mean and range over seeds", [key], group) for key, title in _METRICS.items()
    ]
    return [
        *bars,
        _over_seeds("Test MAE and that of the mean predictor (points)", ["test/mae", _MEAN_PREDICTOR], group),
    ]


def learning_curves(group: wr.Config | None) -> list[wr.PanelTypes]:
    """MAE over epochs of each group, mean and range over its runs; the learning rates beside them."""
    titles = {"training/mae_epoch": "Training MAE (points)", "development/mae": "Development MAE (points)"}
    rates = wr.LinePlot(title="Learning rate", x=_STEP, metric_regex="^lr-.*", title_x="optimizer step")
    return [*(_curve(title, key, "epoch", group) for key, title in titles.items()), rates]


def computing(group: wr.Config | None) -> list[wr.PanelTypes]:
    """Speed, memory and half precision of each group over optimizer steps."""
    return [_curve(title, key, _STEP, group) for key, title in (_SPEED | _PRECISION).items()]


def results() -> list[wr.PanelTypes]:
    """Of each run: estimates, errors and confusion by severity band, curves with best and last checkpoint."""
    bands = {name: name for name in ("Actual", "Predicted", "nPredictions")}
    lines = {name: name for name in ("step", "lineKey", "lineVal")}
    bars = {"label": "band", "value": "mean absolute error"}
    return [
        _chart("scatter", "Estimate against score", "scatter/v0", {"x": "score", "y": "estimate"}),
        _chart("error_by_band", "Mean absolute error by severity band", "bar/v0", bars),
        _chart("band_confusion", "Severity bands", "confusion_matrix/v1", bands),
        _chart("curves", "MAE over epochs", "lineseries/v0", lines),
        wr.WeavePanelSummaryTable(table_name="results/predictions", layout=wr.Layout(w=24, h=12)),
    ]


def _chart(name: str, title: str, preset: str, fields: dict[str, str]) -> wr.CustomChart:
    """A plot that a run has logged as one of W&B's presets, with its table apart."""
    return wr.CustomChart(
        query={"summaryTable": {"tableKey": f"Custom Chart Tables/results/{name}_table"}},
        chart_name=f"wandb/{preset}",
        chart_fields=fields,
        chart_strings={"title": title},
        layout=wr.Layout(w=12, h=9),
    )


def _over_seeds(title: str, keys: list[str], group: wr.Config | None) -> wr.BarPlot:
    return wr.BarPlot(
        title=title,
        metrics=[wr.SummaryMetric(key) for key in keys],
        groupby=group,
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
    )


def _curve(title: str, key: str, x: str, group: wr.Config | None) -> wr.LinePlot:
    return wr.LinePlot(
        title=title,
        x=x,
        y=[key],
        title_x="optimizer step" if x == _STEP else x,
        groupby=group,
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
    )
