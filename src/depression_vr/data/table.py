"""A user's own corpus, told by a CSV file."""

import csv
import math
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from depression_vr.data.manifest import (
    PARTITIONS,
    Corpus,
    Manifest,
    build_manifest,
    unknown_partition,
)
from depression_vr.data.naming import VIDEO_SUFFIXES, partition_named, read_name, without_video_suffix
from depression_vr.data.videos import RawVideo, folder_problems, preprocess_command, repeated, stop_at
from depression_vr.errors import Problem, UserError

REQUIRED_COLUMNS = ("path", "label")
OPTIONAL_COLUMNS = ("partition", "subject", "task", "recording", "video_id")
REQUIRED_OF_VIDEOS = ("path",)
_DESCRIPTION = ("video_id", "subject", "task", "recording")

# What the STA-DRN release takes for granted of AVEC2014's and AVEC2013's tables.
_RELEASE_COUNTS = {300: (100, 100, 100), 150: (50, 50, 50)}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file: the line that it starts on, counted from 1, and its cells by column."""

    line: int
    cells: Mapping[str, str]


class CsvTable(Corpus):
    """A CSV file with one row per video.

    Columns ``path`` and ``label`` are required; ``partition``, ``subject``, ``task``, ``recording`` and
    ``video_id`` may be there, others are ignored. A row's frames lie in the folder ``path``, with or
    without the ``.mp4`` that the path may end in, or in the folder of that name with ``_aligned``. For
    preprocessing, ``path`` names the video file, with or without its suffix, and ``label`` may be missing.

    Where a column or cell is missing: ``video_id`` is the path without ``.mp4``; ``recording`` and
    ``subject`` are read off names like AVEC's (``203_1_Freeform_video`` is of recording 203_1 and subject
    203), and are the video_id for other names; ``task`` is Freeform or Northwind where the path says so,
    else empty. Without a column ``partition`` the partitions go by position, training first.

    Args:
        table: the CSV file, UTF-8, with a header.
        image_root: the folder that the paths are relative to; by default the folder of the table.
        maximum: the highest score of the scale: 63 for BDI-II, 24 for PHQ-8, 27 for PHQ-9.
        partition_by_position: the number of training, development and test rows, for a table without a
            column ``partition``. Tables of 300 and 150 rows are split as the STA-DRN release splits
            AVEC2014 and AVEC2013: into three parts of 100 or 50.
    """

    name = "csv"

    def __init__(
        self,
        table: str | Path,
        image_root: str | Path | None = None,
        maximum: float = 63.0,
        partition_by_position: Sequence[int] | None = None,
    ) -> None:
        self.table = Path(str(table)).expanduser().absolute()
        root = self.table.parent if image_root is None else Path(str(image_root)).expanduser().absolute()
        self.image_root = Path(os.path.normpath(root))
        self.maximum = maximum
        self.partition_by_position = partition_by_position

    def manifest(self) -> Manifest:
        """Read the table, find the frames and validate the whole.

        Raises:
            UserError: the file cannot be read, a required column or the image root is missing; or every
                row that is wrong, with its line.
        """
        if not _is_positive(self.maximum):
            raise UserError(
                f"the highest score of the scale is {self.maximum!r}",
                where="data.maximum",
                fix="give a positive number: 63 for BDI-II, 24 for PHQ-8, 27 for PHQ-9",
            )
        videos, problems = self._described()
        return build_manifest(self.name, videos, maximum=self.maximum, found=problems)

    def _described(self) -> tuple[pd.DataFrame, list[Problem]]:
        """The rows that `build_manifest` takes. What was read of the file takes more memory and is gone."""
        header, rows, problems = read_table(self.table)
        self._require_image_root()
        partitions, of_partitions = self._partitions(header, rows)
        extraction = self._extraction()
        paths: list[str | None] = []
        for row in rows:
            folder = find_frames(row.cells.get("path", ""), self.image_root, extraction)
            if isinstance(folder, str):
                problems.append(Problem(f"{self.table} line {row.line}", folder))
            paths.append(None if isinstance(folder, str) else str(folder))
        described = describe_videos(self.table, rows, self.image_root)
        videos = pd.DataFrame({**described, "path": paths, "partition": partitions})
        return videos, [*of_partitions, *problems]

    def raw_videos(self) -> tuple[RawVideo, ...]:
        """Read the table and find the video files. Labels are passed on as they are written, if they are.

        Without a column ``partition``, the partitions go by position where the counts are given or known,
        and are ``""`` otherwise.

        Returns:
            The videos in the order of the rows.

        Raises:
            UserError: the file cannot be read, the column ``path`` or the image root is missing; or every
                row that is wrong, with its line.
        """
        header, rows, problems = read_table(self.table, REQUIRED_OF_VIDEOS)
        self._require_image_root()
        counted = self.partition_by_position is not None or len(rows) in _RELEASE_COUNTS
        partitions: Sequence[str | None] = [""] * len(rows)
        if counted or "partition" in header:
            partitions, of_partitions = self._partitions(header, rows)
            problems = [*of_partitions, *problems]
        videos = []
        paths = []
        for row, partition in zip(rows, partitions, strict=True):
            source = f"{self.table} line {row.line}"
            if partition and partition not in PARTITIONS:
                problems.append(unknown_partition(source, partition))
            file = find_video(row.cells.get("path", ""), self.image_root)
            if isinstance(file, Path):
                paths.append((source, str(file)))
            else:
                problems.append(Problem(source, file))
            if isinstance(file, Path) or row.cells.get("video_id"):  # a given video_id is checked anyway
                path = file if isinstance(file, Path) else self.image_root
                known = describe_video(row.cells, self.image_root)
                told = {column: text or "" for column, text in known.items()}
                videos.append((source, RawVideo(path=path, partition=partition or "", **told)))
        problems += [*folder_problems(videos), *repeated("path", paths)]
        stop_at(f"the corpus {self.name}", problems)
        return tuple(video for _, video in videos)

    def _require_image_root(self) -> None:
        if not _is_folder(self.image_root):
            raise UserError(
                f"the image root {self.image_root} is not a folder",
                where="data.image_root",
                fix=f"name the folder that the paths in {self.table} are relative to",
            )

    def _extraction(self) -> str:
        """How to get the frames of the table's videos: the command, and the table that it writes."""
        keys = [f"data.table={self.table}"]
        if self.image_root != self.table.parent:
            keys.append(f"data.image_root={self.image_root}")
        if self.partition_by_position is not None:
            keys.append(f"data.partition_by_position={self.partition_by_position}".replace(" ", ""))
        command = preprocess_command(f"data={self.name}", *keys, "out=FACES")
        return f"extract its frames with `{command}` and train with data.table=FACES/manifest.csv alone"

    def _partitions(
        self, header: Sequence[str], rows: Sequence[Row]
    ) -> tuple[Sequence[str | None], list[Problem]]:
        """The partition of every row; None where the problem that is returned says why there is none."""
        if "partition" in header:
            problems = []
            if self.partition_by_position is not None:
                what = f"{self.table} has a column partition; leave out one or the other"
                problems.append(Problem("data.partition_by_position", what))
            given = [row.cells.get("partition", "") for row in rows]
            return [partition_named(name) or name for name in given], problems
        counts = _counts(self.partition_by_position, len(rows))
        if isinstance(counts, str):
            return [None] * len(rows), [Problem(str(self.table), counts)]
        return [name for name, count in zip(PARTITIONS, counts, strict=True) for _ in range(count)], []


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


def _counts(given: Sequence[int] | None, rows: int) -> Sequence[int] | str:
    """The number of rows of each partition, or what is wrong with it."""
    fix = "data.partition_by_position=[TRAINING,DEVELOPMENT,TEST] gives the number of rows of each"
    if given is None:
        unknown = (
            f"{rows} rows without a column partition, and only 300 and 150 are known to be AVEC's; {fix}"
        )
        return _RELEASE_COUNTS.get(rows, unknown)
    if (
        not isinstance(given, Sequence)
        or len(given) != len(PARTITIONS)
        or not all(isinstance(count, int) and count >= 0 for count in given)
    ):
        return f"data.partition_by_position={given} is not three counts; {fix}"
    if sum(given) != rows:
        return f"data.partition_by_position={given} is for {sum(given)} rows, the table has {rows}; {fix}"
    return given


def _is_positive(number: object) -> bool:
    return isinstance(number, int | float) and math.isfinite(number) and number > 0


def find_frames(given: str, image_root: Path, extraction: str) -> Path | str:
    """The folder of frames that a path of the table means, or what is wrong with the path.

    A folder of just the given name comes first. Of the other names, no more than one may exist. That a
    path stays within the image root is judged by its text: symbolic links may lead elsewhere.

    Args:
        given: the path as the table has it.
        image_root: what it is relative to.
        extraction: says how to get the frames of a video file.
    """
    exact = _within(image_root, given)
    if isinstance(exact, str) or _is_folder(exact):
        return exact
    bare = without_video_suffix(exact)
    candidates = list(dict.fromkeys((bare, Path(f"{bare}_aligned"), Path(f"{exact}_aligned"))))
    folders = [candidate for candidate in candidates if _is_folder(candidate)]
    if len(folders) == 1:
        return folders[0]
    if folders:
        return f"the path {given} may mean {' or '.join(map(str, folders))}; name one of them"
    if videos := [exact] if _is_file(exact) else _with_video_suffix(exact):
        return f"{videos[0]} is a video; {extraction}"
    return f"no folder of frames {' or '.join(map(str, dict.fromkeys((exact, *candidates))))}"


def find_video(given: str, image_root: Path) -> Path | str:
    """The video file that a path of the table means, or what is wrong with the path.

    A file of just the given name comes first. A path without the suffix of a video may mean a file with
    any of them, if there is only one.
    """
    exact = _within(image_root, given)
    if isinstance(exact, str) or _is_file(exact):
        return exact
    files = [] if exact.suffix.lower() in VIDEO_SUFFIXES else _with_video_suffix(exact)
    if len(files) == 1:
        return files[0]
    if files:
        return f"the path {given} may mean {' or '.join(map(str, files))}; name one of them"
    if _is_folder(exact):
        return f"{exact} is a folder, not a video file"
    return f"no video file {exact}"


def _within(image_root: Path, given: str) -> Path | str:
    if not given:
        return "the path is missing"
    path = _absolute(given, image_root)
    if not path.is_relative_to(image_root):
        return f"the path {given} leads out of the image root {image_root}"
    return path


def _with_video_suffix(path: Path) -> list[Path]:
    """The video files of this name without their suffix. One file that two spellings reach counts once."""
    suffixes = (spelt for suffix in VIDEO_SUFFIXES for spelt in (suffix, suffix.upper()))
    files: dict[tuple[int, int], Path] = {}
    for suffix in suffixes:
        candidate = Path(f"{path}{suffix}")
        status = _status(candidate)
        if status and stat.S_ISREG(status.st_mode):
            files.setdefault((status.st_dev, status.st_ino), candidate)
    return list(files.values())


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
    path = without_video_suffix(_absolute(given, image_root))
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


def _absolute(given: str, image_root: Path) -> Path:
    return Path(os.path.normpath(image_root / given.replace("\\", "/")))


def _is_folder(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _is_file(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # not there, a name too long, a parent that may not be searched
        return None
