"""Tables on the terminal: what a run ends with, and the list of runs."""

from collections.abc import Container, Mapping, Sequence
from datetime import timedelta
from itertools import compress
from pathlib import Path
from textwrap import shorten
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from depression_vr.runs.in_words import percent, rounded
from depression_vr.runs.listing import RunSummary
from depression_vr.runs.run import Run

_TEXTS = ("started", "status", "experiment", "network", "corpus", "of", "folder", "remark")
_REMARK_LENGTH = 120
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
    numbers = ("-" if row[name] is None else rounded(row[name]) for name in ("mae", "rmse", "ccc", "pearson"))
    table.add_row(estimator, over, str(row["n"]), *numbers)


def print_runs(runs: Sequence[RunSummary], found: int) -> None:
    """Print a line per run.

    Args:
        runs: the lines.
        found: how many there would be without a limit.
    """
    count = f"{len(runs)} of {found}" if len(runs) < found else f"{found}"
    print(f"{count} run{'' if found == 1 else 's'}")
    if runs:
        rows = [_cells(run) for run in runs]
        print_table(list(rows[0]), [list(row.values()) for row in rows], left=_TEXTS)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: Container[str]) -> None:
    """Print a table without lines around it, as wide as it needs to be, without columns of empty cells.

    Args:
        headings: of the columns.
        rows: their cells.
        left: headings of the columns of text; those of numbers end at one place.
    """
    table = Table(box=None, pad_edge=False)
    filled = [any(column) for column in zip(*rows, strict=True)]
    for heading in compress(headings, filled):
        table.add_column(heading, justify="left" if heading in left else "right")
    for row in rows:
        table.add_row(*map(Text, compress(row, filled)))
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
        **{name: "" if metric is None else rounded(metric) for name, metric in metrics.items()},
        "of": run.partition or "",
        "folder": _from_here(run.folder),
        "remark": shorten(run.remark, _REMARK_LENGTH, placeholder=" ..."),
    }


def _clock(duration: timedelta | None) -> str:
    if duration is None:
        return ""
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _from_here(folder: Path) -> str:
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)
