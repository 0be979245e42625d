"""Tables on the terminal: what a run ends with, and the list of runs."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from depression_vr.runs.listing import RunSummary
from depression_vr.runs.percent import percent
from depression_vr.runs.run import Run

_NUMBERS = ("seed", "duration", "dev. MAE", "MAE", "RMSE", "CCC")
_REMARK_LENGTH = 60
_UNLIMITED_WIDTH = 1000


def print_metrics(run: Run, network: str) -> None:
    """Print the metrics of a run directory and its path."""
    metrics = run.metrics()
    table = Table(title=f"{metrics['corpus']}, {metrics['partition']} partition")
    for heading in ("estimator", "over"):
        table.add_column(heading)
    for heading in ("n", "MAE", "RMSE", "CCC", "r"):
        table.add_column(heading, justify="right")
    _add_row(table, network, "videos", metrics["videos"])
    if len(metrics["tasks"]) > 1:
        for task, row in metrics["tasks"].items():
            _add_row(table, "", task, row)
        _add_row(table, "", "recordings", metrics["recordings"])
    table.add_section()
    for name, row in metrics["references"].items():
        _add_row(table, name.replace("_", " "), "videos", row)
    console = Console()
    console.print(table)
    if "intervals" in metrics:
        console.print(intervals_line(metrics["intervals"]), soft_wrap=True, highlight=False)
    console.print(f"run: {run.folder}", soft_wrap=True, highlight=False)


def intervals_line(intervals: Mapping[str, Any]) -> str:
    """Coverage and width of intervals in one line.

    Args:
        intervals: of ``metrics.json``.
    """
    if intervals["reason"] is not None:
        return f"intervals: none, {intervals['reason']}"
    kinds = [f"{kind} {_covered(intervals[kind])}" for kind in ("standard", "normalised")]
    calibration = intervals["calibration"]
    counted = "videos" if calibration["subjects"] == calibration["videos"] else "subjects"
    few = f", which are few: coverage varies by {calibration['deviation']:.0%} between such calibrations"
    return (
        f"intervals of {percent(intervals['confidence'])}: {'; '.join(kinds)}; calibrated on "
        f"{calibration['subjects']} {counted} of {calibration['corpus']}, "
        f"{calibration['partition']} partition{few if calibration['few'] else ''}"
    )


def _covered(kind: Mapping[str, float]) -> str:
    within = f"{kind['coverage_low']:.0%} to {kind['coverage_high']:.0%}"
    return f"cover {kind['coverage']:.0%} ({within}), mean width {kind['mean_width']:.1f} points"


def _add_row(table: Table, estimator: str, over: str, row: dict[str, Any]) -> None:
    numbers = ("-" if row[name] is None else f"{row[name]:.2f}" for name in ("mae", "rmse", "ccc", "pearson"))
    table.add_row(estimator, over, str(row["n"]), *numbers)


def print_runs(runs: Sequence[RunSummary], found: int) -> None:
    """Print a line per run, as long as it needs to be, without columns that no run has.

    Args:
        runs: the lines.
        found: how many there would be without a limit.
    """
    count = f"{len(runs)} of {found}" if len(runs) < found else f"{found}"
    print(f"{count} run{'' if found == 1 else 's'}")
    rows = [_cells(run) for run in runs]
    table = Table(box=None, pad_edge=False)
    headings = [heading for heading in rows[0] if any(row[heading] for row in rows)] if rows else []
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    for row in rows:
        table.add_row(*(Text(row[heading]) for heading in headings))
    console = Console(width=_UNLIMITED_WIDTH, force_terminal=False)
    with console.capture() as lines:
        console.print(table)
    print("\n".join(line.rstrip() for line in lines.get().splitlines()))


def _cells(run: RunSummary) -> dict[str, str]:
    metrics = {"dev. MAE": run.development_mae, "MAE": run.mae, "RMSE": run.rmse, "CCC": run.ccc}
    return {
        "started": "" if run.started is None else f"{run.started.astimezone():%Y-%m-%d %H:%M}",
        "status": run.status,
        "experiment": run.experiment or "",
        "network": run.network or "",
        "corpus": run.corpus or "",
        "seed": "" if run.seed is None else str(run.seed),
        "duration": _clock(run.duration),
        **{name: "" if metric is None else f"{metric:.2f}" for name, metric in metrics.items()},
        "of": run.partition or "",
        "folder": _from_here(run.folder),
        "remark": run.remark[:_REMARK_LENGTH],
    }


def _clock(duration: timedelta | None) -> str:
    if duration is None:
        return ""
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _from_here(folder: Path) -> str:
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)
