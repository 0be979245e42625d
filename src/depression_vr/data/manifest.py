"""The one table that every corpus becomes, and its validation."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from depression_vr.data.frames import IMAGE_SUFFIXES, FrameFolder
from depression_vr.data.videos import RawVideo
from depression_vr.errors import Problem, UserError

PARTITIONS = ("training", "development", "test")
COLUMNS = ("video_id", "path", "label", "partition", "subject", "task", "recording")

_LISTING_THREADS = 8


@dataclass(frozen=True)
class Manifest:
    """All videos of a corpus, one row each, and the frames that lie on disk for them.

    Attributes:
        corpus: name of the corpus, such as ``avec2014``.
        table: columns `COLUMNS`. ``path`` is the absolute folder of frames, ``label`` the score
            (0..maximum), ``partition`` one of `PARTITIONS`: the corpus's own, or, once a run's protocol has
            been applied, the video's role in that run. Videos of one ``recording`` (AVEC2014's two
            tasks) share its label.
        maximum: the highest score of the scale, 63 for BDI-II.
        folders: the listed frames, one folder per row.
        remarks: what is suspicious but does not stop a run, beside what the table itself says.
    """

    corpus: str
    table: pd.DataFrame
    maximum: float
    folders: tuple[FrameFolder, ...]
    remarks: tuple[Problem, ...] = ()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is suspicious but does not stop a run: the remarks, and subjects in several partitions."""
        return (*self.remarks, *_leak_warnings(self.table))

    def rows(self, partition: str) -> np.ndarray:
        """Row numbers of the videos of one partition, shape ``(n,)``."""
        return np.flatnonzero((self.table["partition"] == partition).to_numpy())

    def fingerprint(self) -> str:
        """SHA-256 of every row (without the path, which differs between machines) and every frame name."""
        digest = hashlib.sha256()
        rows = self.table[[column for column in COLUMNS if column != "path"]]
        digest.update(rows.to_csv(index=False).encode())
        for folder in self.folders:
            digest.update(len(folder).to_bytes(8, "little"))
            digest.update(b"\0".join(folder.names.tolist()))
        return digest.hexdigest()


class Corpus(ABC):
    """A source of videos with scores. Subclasses know one layout on disk."""

    name: str

    @abstractmethod
    def manifest(self) -> Manifest:
        """Find, read and validate everything.

        Raises:
            UserError: with every problem found, when there is any.
        """

    def raw_videos(self) -> tuple[RawVideo, ...]:
        """Find the videos that preprocessing reads. Labels may be missing, and so may whole partitions.

        Raises:
            UserError: the corpus has no videos, or every one that is wrong.
        """
        raise UserError(
            f"the corpus {self.name} has no raw videos: it is made of frames, which need no preprocessing",
            where="config key data",
            fix="`python -m depression_vr.synthesize layout=avec2014 out=FOLDER` writes videos of the same "
            "people; preprocess them with data=avec2014 data.root=FOLDER",
        )

    def references(self, manifest: Manifest, partition: str) -> pd.DataFrame:
        """Scores of reference estimators that this corpus knows, to stand beside a network's.

        Returns:
            One row per video of the partition: ``video_id`` and one column of scores per estimator;
            no such column where a corpus knows none.
        """
        return manifest.table.iloc[manifest.rows(partition)][["video_id"]].reset_index(drop=True)


def build_manifest(
    corpus: str,
    rows: pd.DataFrame,
    *,
    maximum: float = 63.0,
    found: Sequence[Problem] = (),
) -> Manifest:
    """Validate rows and list their frames.

    Args:
        corpus: name of the corpus.
        rows: columns `COLUMNS` and ``source``, which says where a row comes from (``labels.csv line 12``).
            ``label`` may be anything: what is not a number in 0..maximum is reported. ``path`` and
            ``partition`` may be None where ``found`` already says why there is none.
        maximum: the highest score of the scale.
        found: problems that were met while the rows were collected.

    Raises:
        UserError: with all problems, those of ``found`` first.
    """
    rows = rows.reset_index(drop=True)
    problems = [*found]
    labels = pd.to_numeric(rows["label"], errors="coerce")
    for source, given, label in zip(rows["source"], rows["label"], labels, strict=True):
        problems += _label_problems(source, given, label, maximum)
    problems += _partition_problems(rows)
    problems += _duplicate_problems(rows, "video_id")
    problems += _duplicate_problems(rows, "path")
    known = rows["partition"].where(rows["partition"].isin(PARTITIONS))
    problems += _recording_problems(rows.assign(label=labels, partition=known))
    folders: list[FrameFolder] = []
    with ThreadPoolExecutor(_LISTING_THREADS) as pool:
        with_path = rows[rows["path"].notna()]
        listings = pool.map(_list_frames, with_path["source"], with_path["path"])
        for listing in listings:
            if isinstance(listing, Problem):
                problems.append(listing)
            else:
                folders.append(listing)
    if not problems and rows.empty:
        problems.append(Problem(corpus, "no videos"))
    if problems:
        raise UserError(
            f"the corpus {corpus} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:",
            problems=problems,
            fix="correct the rows or files named above; nothing was trained",
        )
    table = rows[list(COLUMNS)].assign(label=labels.astype(float))
    return Manifest(corpus, table, maximum, tuple(folders))


def _label_problems(source: str, given: object, label: float, maximum: float) -> list[Problem]:
    if given is None or given is pd.NA or str(given).strip() in ("", "nan"):
        return [Problem(source, "the label is missing")]
    if not np.isfinite(label):
        return [Problem(source, f"the label {given!r} is not a number")]
    if not 0 <= label <= maximum:
        return [Problem(source, f"the label {given} is outside 0..{maximum:g}")]
    return []


def _partition_problems(rows: pd.DataFrame) -> list[Problem]:
    return [
        unknown_partition(source, partition)
        for source, partition in zip(rows["source"], rows["partition"], strict=True)
        if not pd.isna(partition) and partition not in PARTITIONS
    ]


def unknown_partition(source: str, partition: str) -> Problem:
    """The problem of a partition that is not one of `PARTITIONS`."""
    what = f"unknown partition {partition!r}" if partition else "the partition is missing"
    return Problem(source, f"{what}; known are {', '.join(PARTITIONS)}")


def _duplicate_problems(rows: pd.DataFrame, column: str) -> list[Problem]:
    repeated = rows[rows[column].notna() & rows[column].duplicated(keep=False)]
    return [
        Problem(", ".join(same["source"]), f"the {column} {value!r} occurs {len(same)} times")
        for value, same in repeated.groupby(column, sort=False)
    ]


def _recording_problems(rows: pd.DataFrame) -> list[Problem]:
    """Videos of one recording that do not share their label and partition."""
    problems = []
    for recording, videos in rows.groupby("recording", sort=False):
        for column in ("label", "partition"):
            values = videos[column].dropna().unique()
            if len(values) > 1:
                told = " and ".join(f"{value:g}" if column == "label" else value for value in values)
                what = f"the videos of recording {recording} differ in their {column}: {told}"
                problems.append(Problem(", ".join(videos["source"]), what))
    return problems


def _list_frames(source: str, path: str) -> FrameFolder | Problem:
    try:
        folder = FrameFolder.listed(Path(path))
    except FileNotFoundError:
        return Problem(source, f"the frames folder {path} does not exist")
    except OSError as error:
        return Problem(source, f"the frames folder {path} cannot be read ({error.strerror})")
    if not len(folder):
        return Problem(source, f"the frames folder {path} holds no {', '.join(IMAGE_SUFFIXES)} file")
    return folder


def _leak_warnings(table: pd.DataFrame) -> list[Problem]:
    partitions = table.groupby("subject", sort=False)["partition"].unique()
    return [
        Problem(f"subject {subject}", f"is in the partitions {' and '.join(within)}")
        for subject, within in partitions.items()
        if len(within) > 1
    ]
