"""Metrics in a CSV file that survives being killed and resumed."""

import csv
import io
import os
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only

from depression_vr.files import write_text


class ResumableCSVLogger(CSVLogger):
    """Lightning's CSV logger, which would begin its file anew in a run that is resumed.

    Takes Lightning's arguments.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.rows = 0

    def resume_at(self, rows: int) -> None:
        """Keep so many rows of the file; see `ResumableLogger`."""
        self.rows = rows

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer of the file."""
        if self._experiment is None:
            self._experiment = _Writer(self.log_dir, self.rows)
        return self._experiment

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Log one row."""
        self.rows += 1
        super().log_metrics(metrics, step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left; after an error as far as the disk takes it, so that the error is told."""
        try:
            super().finalize(status)
        except OSError:
            if status == "success":
                raise


class _Writer(ExperimentWriter):
    """Begins with the first rows of the file that is there, and never leaves half of a file."""

    def __init__(self, log_dir: str, kept_rows: int) -> None:
        kept = _first_rows(Path(log_dir) / self.NAME_METRICS_FILE, kept_rows)
        if not kept:
            Path(log_dir, self.NAME_METRICS_FILE).unlink(missing_ok=True)
        super().__init__(log_dir)
        self.metrics_keys = sorted(set().union(*kept))
        if kept:
            self._write(kept)

    def save(self) -> None:
        """Write the rows that wait; after an error the file is as it was."""
        file = Path(self.metrics_file_path)
        size = file.stat().st_size if file.exists() else 0
        try:
            super().save()
        except OSError as error:
            if file.exists() and file.stat().st_size > size:
                os.truncate(file, size)
            error.filename = error.filename or str(file)
            raise

    def _check_log_dir_exists(self) -> None:
        """Lightning warns here that it deletes files, which it does not."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        with Path(self.metrics_file_path).open(newline="", encoding="utf-8") as file:
            self._write(list(csv.DictReader(file)))

    def _write(self, rows: list[dict[str, Any]]) -> None:
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, fieldnames=self.metrics_keys)
        writer.writeheader()
        writer.writerows(rows)
        write_text(Path(self.metrics_file_path), lines.getvalue())


def _first_rows(file: Path, rows: int) -> list[dict[str, str]]:
    if not rows or not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        kept = [row for row, _ in zip(csv.DictReader(lines), range(rows), strict=False)]
    return [{key: value for key, value in row.items() if value} for row in kept]
