"""What a comparison says on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from depression_vr.comparison.cells import TEXT_HEADINGS, Cells, group_table, left_out, notes, pair_table
from depression_vr.comparison.measuring import Comparison
from depression_vr.runs.console import print_table
from depression_vr.runs.in_words import counted


def print_comparison(comparison: Comparison, written: Sequence[Path]) -> None:
    """Print both tables, as wide as they are, the notes, what was left out and where the files are."""
    console = Console(highlight=False)
    _print(group_table(comparison.groups))
    if comparison.pairs:
        console.print()
        _print(pair_table(comparison.pairs))
    console.print()
    for note in notes(comparison):
        console.print(Text(note))
    if comparison.left_out:
        console.print(f"\n{counted(len(comparison.left_out), 'run')} left out")
        for line in left_out(comparison):
            console.print(Text(f"  {line}"), soft_wrap=True)
    console.print("\nwritten:")
    for file in written:
        console.print(Text(f"  {file}"), soft_wrap=True)


def _print(cells: Cells) -> None:
    headings, *rows = cells
    print_table(headings, rows, left=TEXT_HEADINGS)
