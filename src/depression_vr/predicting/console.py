"""What the terminal shows at the end."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from depression_vr.predicting.results import Prediction
from depression_vr.runs.bands import NO_DIAGNOSIS


def print_predictions(predictions: Sequence[Prediction], index: Path) -> None:
    """One row per video, and where the pages are."""
    table = Table()
    doubts: dict[str, None] = {}
    for heading in ("video", "score", "band", "interval", "windows", "no estimate because"):
        table.add_column(heading, overflow="fold")
    for each in predictions:
        estimate = each.estimate
        if estimate is None:
            _add(table, each.video_id, "-", each.status, "-", "-", "\n".join(each.reasons))
            continue
        ends = "-" if estimate.low is None else f"{estimate.low:.1f} to {estimate.high:.1f}"
        if estimate.low is not None and estimate.interval_note is not None:
            ends += " (?)"
            doubts[estimate.interval_note] = None
        windows = str(len(estimate.windows))
        _add(table, each.video_id, f"{estimate.score:.1f}", estimate.band or "-", ends, windows, "")
    console = Console()
    console.print(table)
    for doubt in doubts:
        console.print(f"(?) {doubt}", markup=False, highlight=False)
    console.print(NO_DIAGNOSIS)
    console.print(f"written: {index}", soft_wrap=True, markup=False, highlight=False)


def _add(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # names may hold brackets, which are no markup
