"""Logged rows on disk, to be logged again by a logger that cannot know which of them have arrived."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from depression_vr.files import write_text


class Row(NamedTuple):
    """What was logged at once."""

    metrics: dict[str, Any]
    step: int | None


class RowJournal:
    """A file of one JSON line per row. A process that is killed loses none that it has added.

    Args:
        file: where; begun anew by the first row, unless it is kept.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._begun = False

    def keep(self, rows: int) -> list[Row]:
        """Keep the first rows and return them."""
        lines = self.file.read_text(encoding="utf-8").splitlines()[:rows] if self.file.exists() else []
        write_text(self.file, "".join(f"{line}\n" for line in lines))
        self._begun = True
        return [Row(**json.loads(line)) for line in lines]

    def add(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """Add a row of numbers."""
        numbers = {name: float(value) for name, value in metrics.items()}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a" if self._begun else "w", encoding="utf-8") as file:
            file.write(json.dumps({"metrics": numbers, "step": step}) + "\n")
        self._begun = True
