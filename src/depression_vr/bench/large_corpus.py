"""A corpus that is larger than any that there is, as tables alone: no file of it is on disk."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depression_vr.data.frame_names import NumberedNames
from depression_vr.data.frames import FrameFolder
from depression_vr.data.manifest import PARTITIONS, Manifest, row_problems, validated_table
from depression_vr.data.naming import partition_named
from depression_vr.data.table_rows import describe_videos, read_table
from depression_vr.data.videos import RawVideo

MAXIMUM = 63.0

_OF_A_SUBJECT = 4
_COLUMNS = ("path", "label", "partition", "subject", "task", "recording", "video_id")


@dataclass(frozen=True)
class LargeCorpus:
    """Videos of one length, four of each subject, a third of the subjects in each partition.

    Attributes:
        videos: how many.
        frames: of a video.
    """

    videos: int
    frames: int

    def write_table(self, path: Path) -> None:
        """Write the table that preprocessing would: a CSV file with a row per video."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows(self._rows())

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for number in range(self.videos):
            subject, visit = divmod(number, _OF_A_SUBJECT)
            partition = PARTITIONS[subject % len(PARTITIONS)]
            label = str((7 * subject + visit) % 64)
            video = f"{subject:07d}_{visit}"
            path = f"{partition}/Freeform/{video}"
            yield path, label, partition, f"{subject:07d}", "Freeform", video, video

    def read(self, table: Path) -> pd.DataFrame:
        """Read and validate the table as `CsvTable` does, without a look at folders.

        Returns:
            The table of a manifest.
        """
        videos = self._described(table)
        if problems := row_problems(videos, MAXIMUM):
            raise RuntimeError(f"the generated table is wrong: {problems[0]}")
        return validated_table(videos)

    def _described(self, table: Path) -> pd.DataFrame:
        _, rows, _ = read_table(table)
        return pd.DataFrame(
            {
                **describe_videos(table, rows, table.parent),
                "path": [str(table.parent / row.cells["path"]) for row in rows],
                "partition": [partition_named(row.cells["partition"]) for row in rows],
            }
        )

    def manifest(self, table: pd.DataFrame) -> Manifest:
        """The manifest of the table, as if every folder had been listed."""
        folders = tuple(FrameFolder(Path(path), self._names()) for path in table["path"])
        return Manifest("csv", table, MAXIMUM, folders)

    def _names(self) -> NumberedNames:
        return NumberedNames(b"frame_", b".jpg", 6, np.array([[0], [1]], np.int32), self.frames)

    def raw_videos(self) -> list[RawVideo]:
        """The videos that the frames would come from."""
        return [
            RawVideo(video, Path(f"/videos/{path}.mp4"), label, partition, subject, task, recording)
            for path, label, partition, subject, task, recording, video in self._rows()
        ]
