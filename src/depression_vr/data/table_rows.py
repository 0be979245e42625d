"""The rows of a CSV file, and what each says about its video."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from depression_vr.data.naming import read_name, without_video_suffix
from depression_vr.data.table_paths import absolute
from depression_vr.errors import Problem, UserError

REQUIRED_COLUMNS = ("path", "label")
OPTIONAL_COLUMNS = ("partition", "subject", "task", "recording", "video_id")
REQUIRED_OF_VIDEOS = ("path",)
_DESCRIPTION = ("video_id", "subject", "task", "recording")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file: the line that it starts on, counted from 1, and its cells by column."""

    line: int
    cells: Mapping[str, str]


def read_table(
    path: Path, required: Sequence[str] = REQUIRED_COLUMNS
) -> tuple[list[str], list[Row], list[Problem]]:
    """Read a CSV file with every cell as text, stripped.

    The lines are the file's own, as an editor counts them, whatever quoted line breaks or empty lines it
    has: pandas does not keep them, and shifts the columns of a row with too many cells.

    Returns:
        The header in lower case, the rows that are not empty, and a problem for each row with more
        cells than the header.

    Raises:
        UserError: the file is missing, unreadable, not UTF-8, no CSV, empty, or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read_rows(_numbered_records(file), required, path)
    except UnicodeDecodeError as error:
        fix = "save it as CSV in UTF-8"
        raise UserError("the table is not UTF-8 text", where=str(path), fix=fix) from error
    except csv.Error as error:
        raise UserError(f"the table is not a CSV file ({error})", where=str(path)) from error
    except OSError as error:
        fix = "name a CSV file with the columns path,label as data.table"
        raise UserError(f"the table cannot be read ({error.strerror})", where=str(path), fix=fix) from error


def _read_rows(
    records: Iterator[tuple[int, list[str]]], required: Sequence[str], path: Path
) -> tuple[list[str], list[Row], list[Problem]]:
    _, names = next(records, (1, []))
    if not names:
        raise UserError("the table is empty", where=str(path), fix="give it the header path,label")
    header = [name.lower() for name in names]
    rows, problems = [], []
    known: dict[str, str] = {}  # what many rows say is kept once
    for line, cells in records:
        kept = [known.setdefault(cell, cell) for cell in cells]
        rows.append(Row(line, dict(zip(header, kept, strict=False))))
        if any(cells[len(header) :]):
            what = f"{len(cells)} cells, but the header has {len(header)}"
            problems.append(Problem(f"{path} line {line}", what))
    _require_columns(header, required, path)
    if not rows:
        raise UserError(
            "the table has a header but no rows", where=str(path), fix="give it one row per video"
        )
    return header, rows, problems


def _numbered_records(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    line = 1
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield line, stripped
        line = reader.line_num + 1


def _require_columns(header: Sequence[str], required: Sequence[str], path: Path) -> None:
    missing = [column for column in required if column not in header]
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    twice = [column for column in known if header.count(column) > 1]
    if missing or twice:
        what = (
            f"lacks the column {', '.join(missing)}"
            if missing
            else f"has the column {', '.join(twice)} twice"
        )
        raise UserError(
            f"the table {what}; its header is {','.join(header)!r}",
            where=f"{path} line 1",
            fix=f"the columns are separated by commas; {' and '.join(required)} must be there, "
            f"{', '.join(column for column in known if column not in required)} may be",
        )


def describe_videos(table: Path, rows: Iterable[Row], image_root: Path) -> dict[str, list[str | None]]:
    """Columns of what the rows of a table say: `describe_video` of each, and its ``source``."""
    described: dict[str, list[str | None]] = defaultdict(list)
    for row in rows:
        described["source"].append(f"{table} line {row.line}")
        for column, told in describe_video(row.cells, image_root).items():
            described[column].append(told)
    return described


def describe_video(cells: Mapping[str, str], image_root: Path) -> dict[str, str | None]:
    """What a row says about its video, with names like AVEC's read where a cell is empty or not there.

    >>> cells = {"path": "Freeform/203_1_Freeform_video.mp4", "label": "12"}
    >>> described = describe_video(cells, Path("/frames"))
    >>> described["video_id"], described["recording"], described["subject"], described["task"]
    ('Freeform/203_1_Freeform_video', '203_1', '203', 'Freeform')
    """
    if all(cells.get(column) for column in _DESCRIPTION):
        return {"label": cells.get("label", ""), **{column: cells[column] for column in _DESCRIPTION}}
    given = cells.get("path", "")
    path = without_video_suffix(absolute(given, image_root))
    # Relative to the image root, so that the same table has the same video ids on every machine.
    inside = path.relative_to(image_root) if path.is_relative_to(image_root) else path
    video_id = cells.get("video_id") or (inside.as_posix() if given else None)
    named = read_name(inside)
    return {
        "video_id": video_id,
        "label": cells.get("label", ""),
        "subject": cells.get("subject") or named.subject or video_id,
        "task": cells.get("task") or named.task,
        "recording": cells.get("recording") or named.recording or video_id,
    }
