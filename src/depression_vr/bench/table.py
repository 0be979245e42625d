"""Measured rows as a table, for a terminal and in Markdown."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from depression_vr.bench.rows import Result

_WIDTH = 140  # where there is no terminal to fit
_NUMBERS = ("unit", "ours", "baseline", "ratio", "of limit")
_PREFIXES = {1e12: "T", 1e9: "G", 1e6: "M", 1: ""}


def print_table(results: Sequence[Result], title: str) -> None:
    """Print one line per row, as wide as the terminal."""
    table = Table(title=title, show_lines=True)
    table.add_column("row", no_wrap=True)
    table.add_column("measured")
    for heading in _NUMBERS:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("goal")
    for result in results:
        table.add_row(*_cells(result, "\n"))
    console = Console()
    Console(width=console.width if console.is_terminal else _WIDTH).print(table)


def as_markdown(results: Sequence[Result]) -> str:
    """The same as a Markdown table."""
    lines = [["row", "measured", *_NUMBERS, "goal"], ["---", "---", *["---:"] * len(_NUMBERS), "---"]]
    lines += [_cells(result, "; ") for result in results]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(result: Result, separator: str) -> list[str]:
    row = result.row
    scale, prefix = _scale(result.figure, row.ours.unit)
    measured = [row.ours.what]
    if row.baseline is not None:
        measured.append(f"baseline: {row.baseline.what}")
    if row.bound is not None:
        measured.append(f"limit: {row.bound.limit.what}")
    share = result.share_of_bound
    return [
        row.name,
        separator.join(measured),
        prefix + row.ours.unit,
        _number(result.figure / scale),
        "-" if result.baseline is None else _number(result.baseline / scale),
        "-" if result.ratio is None else _number(result.ratio),
        "-" if share is None else f"{share:.0%}",
        f"{row.goal}: {'met' if result.met else 'missed'}" if row.goal else "-",
    ]


def _scale(figure: float, unit: str) -> tuple[float, str]:
    """What large rates are divided by, and the prefix of the unit that says so."""
    if unit not in ("FLOP/s", "B/s"):
        return 1, ""
    return next((scale, prefix) for scale, prefix in _PREFIXES.items() if abs(figure) >= scale or scale == 1)


def _number(value: float) -> str:
    """Three digits at least."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"
