"""What is under way, on the terminal."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.progress import MofNCompleteColumn, ProgressColumn, Task
from rich.text import Text

from depression_vr.progress import progress_bar
from depression_vr.runs.run import Run


def epochs_done(run: Run) -> int:
    """The epochs that the training has written metrics of."""
    try:
        with (run.folder / "logs" / "metrics.csv").open(newline="", encoding="utf-8") as file:
            return max((int(row["epoch"]) + 1 for row in csv.DictReader(file) if row.get("epoch")), default=0)
    except (OSError, ValueError):  # not there yet, or just being written
        return 0


class _RunsAnHour(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{3600 * task.speed:.1f} runs/h" if task.speed else "")


class Display:
    """A progress bar on stderr, and lines above it."""

    def __init__(self, runs: int) -> None:
        self._progress = progress_bar(MofNCompleteColumn(), _RunsAnHour(), speed_estimate_period=float("inf"))
        self._task = self._progress.add_task("", total=runs)
        self._lock = Lock()
        self._ended = 0
        self._epochs: dict[str, tuple[int, int]] = {}  # done and wanted, of the runs under way

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def showing(self, run: str) -> Iterator[Callable[[int, int], None]]:
        """Show a run that is under way; yields what takes its epochs, done and wanted."""

        def show(done: int, epochs: int) -> None:
            with self._lock:
                self._epochs[run] = (min(done, epochs), epochs)
                self._refresh()

        try:
            yield show
        finally:
            with self._lock:
                self._epochs.pop(run, None)
                self._ended += 1
                self._refresh()

    def _refresh(self) -> None:
        under_way = (f"{run}, epoch {done}/{epochs}" for run, (done, epochs) in self._epochs.items())
        shares = sum(min(done / epochs, 0.99) for done, epochs in self._epochs.values())
        self._progress.update(self._task, description="\n".join(under_way), completed=self._ended + shares)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, soft_wrap=True, highlight=False, markup=False)
