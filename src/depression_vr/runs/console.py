"""The table that a run ends with."""

from typing import Any

from rich.console import Console
from rich.table import Table

from depression_vr.runs.run import Run


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
    console.print(f"run: {run.folder}", soft_wrap=True, highlight=False)


def _add_row(table: Table, estimator: str, over: str, row: dict[str, Any]) -> None:
    numbers = ("-" if row[name] is None else f"{row[name]:.2f}" for name in ("mae", "rmse", "ccc", "pearson"))
    table.add_row(estimator, over, str(row["n"]), *numbers)
