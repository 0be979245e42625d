"""How progress bars look."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.status import Status


def waiting(description: str) -> Status:
    """A sign on stderr that goes on turning while something is computed of which there is no count.

    Args:
        description: of what it is.
    """
    return Console(stderr=True).status(description)


def progress_bar(*counts: ProgressColumn, **settings: Any) -> Progress:
    """Bars on stderr, each with what it is of before it, and counts and the time left after it.

    Args:
        counts: columns.
        settings: of `rich.progress.Progress`.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), *counts, TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), **settings)
