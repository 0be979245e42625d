"""What a study says on the terminal."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from depression_vr.robustness_study.conditions import CLEAN
from depression_vr.runs.in_words import rounded


def print_study(table: pd.DataFrame, written: Sequence[Path]) -> None:
    """Print each run's MAE on clean frames and where each degradation is at its worst, and the files."""
    console = Console(highlight=False)
    for run, rows in table.groupby("run", sort=False):
        clean = rows[rows["degradation"] == CLEAN].iloc[0]
        told = f"MAE {clean['mae']:.2f}, CCC {rounded(clean['ccc'])} over {clean['n']} videos as they are"
        console.print(Text(f"{run}: {told}"))
        if clean["substituted_frames"]:
            told = (
                f"{clean['substituted_frames']} unreadable frames of their windows: neighbours stand for them"
            )
            console.print(Text(f"{run}: {told}", style="yellow"))
        degraded = rows[rows["degradation"] != CLEAN]
        worst = degraded.loc[degraded.groupby("degradation", sort=False)["mae"].idxmax()]
        console.print(_table(worst))
    console.print("written:")
    for file in written:
        console.print(Text(f"  {file}"), soft_wrap=True)


def _table(worst: pd.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("worst of")
    for heading in ("level", "MAE", "95% interval", "more than clean", "CCC"):
        table.add_column(heading, justify="right")
    for row in worst.to_dict("records"):
        has_interval = not math.isnan(row["mae_low"])
        table.add_row(
            row["degradation"],
            f"{row['level']:g}",
            f"{row['mae']:.2f}",
            f"{row['mae_low']:.2f} to {row['mae_high']:.2f}" if has_interval else "none",
            f"{row['mae_change']:+.2f}",
            rounded(row["ccc"]),
        )
    return table
