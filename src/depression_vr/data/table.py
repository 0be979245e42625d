"""A user's own corpus, told by a CSV file."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from depression_vr.data.manifest import (
    PARTITIONS,
    Corpus,
    Manifest,
    build_manifest,
    unknown_partition,
)
from depression_vr.data.naming import partition_named
from depression_vr.data.problems import repeated, stop_at
from depression_vr.data.table_paths import find_frames, find_video, is_folder
from depression_vr.data.table_remarks import misspelt_columns, unknown_subjects
from depression_vr.data.table_rows import REQUIRED_OF_VIDEOS, Row, describe_video, describe_videos, read_table
from depression_vr.data.videos import RawVideo, folder_problems, preprocess_command
from depression_vr.errors import Problem, UserError

# What the STA-DRN release takes for granted of AVEC2014's and AVEC2013's tables.
_RELEASE_COUNTS = {300: (100, 100, 100), 150: (50, 50, 50)}


class CsvTable(Corpus):
    """A CSV file with one row per video.

    Columns ``path`` and ``label`` are required; ``partition``, ``subject``, ``task``, ``recording`` and
    ``video_id`` may be there, others are ignored, with a warning where one is called nearly so. A row's
    frames lie in the folder ``path``, with or without the ``.mp4`` that the path may end in, or in the folder
    of that name with ``_aligned``. For preprocessing, ``path`` names the video file, with or without its
    suffix, and ``label`` may be missing.

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
        videos, problems, remarks = self._described()
        manifest = build_manifest(self.name, videos, maximum=self.maximum, found=problems)
        return replace(manifest, remarks=tuple(remarks))

    def _described(self) -> tuple[pd.DataFrame, list[Problem], list[Problem]]:
        """The rows that `build_manifest` takes, what is wrong with them, and what is suspicious.

        What was read of the file takes more memory and is gone.
        """
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
        remarks = [*misspelt_columns(self.table, header), *unknown_subjects(videos)]
        return videos, [*of_partitions, *problems], remarks

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
        stop_at(f"the corpus {self.name}", problems, "preprocessed")
        return tuple(video for _, video in videos)

    def _require_image_root(self) -> None:
        if not is_folder(self.image_root):
            raise UserError(
                f"the image root {self.image_root} is not a folder",
                where="config key data.image_root",
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
                problems.append(Problem("config key data.partition_by_position", what))
            given = [row.cells.get("partition", "") for row in rows]
            return [partition_named(name) or name for name in given], problems
        counts = _counts(self.partition_by_position, header, len(rows))
        if isinstance(counts, str):
            return [None] * len(rows), [Problem(str(self.table), counts)]
        return [name for name, count in zip(PARTITIONS, counts, strict=True) for _ in range(count)], []


def _counts(given: Sequence[int] | None, header: Sequence[str], rows: int) -> Sequence[int] | str:
    """The number of rows of each partition, or what is wrong with it."""
    fix = "data.partition_by_position=[TRAINING,DEVELOPMENT,TEST] gives the number of rows of each"
    if given is None:
        unknown = (
            f"{rows} rows without a column partition (the header is {','.join(header)!r}), and only 300 and "
            f"150 are known to be AVEC's; {fix}"
        )
        return _RELEASE_COUNTS.get(rows, unknown)
    if sum(given) != rows:
        return f"data.partition_by_position={given} is for {sum(given)} rows, the table has {rows}; {fix}"
    return given
