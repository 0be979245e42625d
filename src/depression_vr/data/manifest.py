"""The one table that every corpus becomes, and its validation."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from depression_vr.data.frames import IMAGE_SUFFIXES, FrameFolder
from depression_vr.data.packed import ARCHIVE, listed_frames
from depression_vr.data.problems import repeated, stop_at
from depression_vr.data.videos import RawVideo
from depression_vr.errors import Problem, UserError

Partition = Literal["training", "development", "test"]
PARTITIONS: tuple[Partition, ...] = get_args(Partition)
COLUMNS = ("video_id", "path", "label", "partition", "subject", "task", "recording")

_LISTING_THREADS = 8
_LISTED_AT_ONCE = 1000  # what a pool keeps of each of a million folders takes gigabytes


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

    def only(self, rows: Iterable[int]) -> "Manifest":
        """The videos in some of the rows alone."""
        table = self.table.iloc[[*rows]].reset_index(drop=True)
        return replace(self, table=table, folders=tuple(self.folders[row] for row in rows))

    @cached_property  # it takes a second of a thousand long videos, and is asked for often
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
    problems = [*found, *row_problems(rows, maximum)]
    folders: list[FrameFolder] = []
    for listing in _listings(rows[rows["path"].notna()]):
        if isinstance(listing, Problem):
            problems.append(listing)
        else:
            folders.append(listing)
    if not problems and rows.empty:
        problems.append(Problem(corpus, "no videos"))
    stop_at(f"the corpus {corpus}", problems, "trained")
    return Manifest(corpus, validated_table(rows), maximum, tuple(folders))


def row_problems(rows: pd.DataFrame, maximum: float) -> list[Problem]:
    """What is wrong with the rows that `build_manifest` takes, as far as it shows without their frames."""
    labels = _numbers(rows["label"])
    known = rows["partition"].where(rows["partition"].isin(PARTITIONS))
    return [
        *_label_problems(rows, labels, maximum),
        *_partition_problems(rows),
        *_duplicate_problems(rows, "video_id"),
        *_duplicate_problems(rows, "path"),
        *_recording_problems(rows.assign(label=labels, partition=known)),
    ]


def validated_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The table of a manifest, of rows that have no problem."""
    return rows[list(COLUMNS)].assign(label=_numbers(rows["label"]))


def _numbers(labels: pd.Series) -> pd.Series:
    return pd.to_numeric(labels, errors="coerce").astype(float)


def _label_problems(rows: pd.DataFrame, labels: pd.Series, maximum: float) -> list[Problem]:
    wrong = rows[~labels.between(0, maximum)]  # as those that are no number are
    return [
        Problem(source, _wrong_label(given, label, maximum))
        for source, given, label in zip(wrong["source"], wrong["label"], labels[wrong.index], strict=True)
    ]


def _wrong_label(given: object, label: float, maximum: float) -> str:
    if given is None or given is pd.NA or str(given).strip() in ("", "nan"):
        return "the label is missing"
    if not np.isfinite(label):
        return f"the label {given!r} is not a number"
    return f"the label {given} is outside 0..{maximum:g}"


def _partition_problems(rows: pd.DataFrame) -> list[Problem]:
    unknown = rows[rows["partition"].notna() & ~rows["partition"].isin(PARTITIONS)]
    return [
        unknown_partition(source, partition)
        for source, partition in zip(unknown["source"], unknown["partition"], strict=True)
    ]


def unknown_partition(source: str, partition: str) -> Problem:
    """The problem of a partition that is not one of `PARTITIONS`."""
    what = f"unknown partition {partition!r}" if partition else "the partition is missing"
    return Problem(source, f"{what}; known are {', '.join(PARTITIONS)}")


def _duplicate_problems(rows: pd.DataFrame, column: str) -> list[Problem]:
    wrong = rows[rows[column].notna() & rows[column].duplicated(keep=False)]
    return repeated(column, zip(wrong["source"], wrong[column], strict=True))


def _recording_problems(rows: pd.DataFrame) -> list[Problem]:
    """Videos of one recording that do not share their label and partition."""
    differing = {column: values_within(rows, "recording", column) for column in ("label", "partition")}
    wrong = rows[rows["recording"].isin({recording for values in differing.values() for recording in values})]
    sources = wrong.groupby("recording", sort=False)["source"].agg(", ".join)
    return [
        Problem(where, f"the videos of recording {recording} differ in their {column}: {' and '.join(told)}")
        for recording, where in sources.items()
        for column, values in differing.items()
        if (told := [f"{value:g}" if column == "label" else value for value in values.get(recording, ())])
    ]


def values_within(rows: pd.DataFrame, group: str, column: str) -> dict[Any, list[Any]]:
    """The values of a column that rows of one group do not share, by group, all in the order of the rows."""
    pairs = rows[[group, column]].dropna().drop_duplicates()
    differing = pairs[pairs[group].duplicated(keep=False)]
    values: dict[Any, list[Any]] = {}
    for name, value in zip(differing[group], differing[column], strict=True):
        values.setdefault(name, []).append(value)
    return values


def _listings(rows: pd.DataFrame) -> Iterator[FrameFolder | Problem]:
    with ThreadPoolExecutor(_LISTING_THREADS) as pool:
        for first in range(0, len(rows), _LISTED_AT_ONCE):
            block = rows[first : first + _LISTED_AT_ONCE]
            yield from pool.map(_list_frames, block["source"], block["path"])


def _list_frames(source: str, path: str) -> FrameFolder | Problem:
    try:
        folder = listed_frames(Path(path))
    except FileNotFoundError:
        return Problem(source, f"the frames folder {path} does not exist")
    except OSError as error:
        return Problem(source, f"the frames folder {path} cannot be read ({error.strerror})")
    if not len(folder):
        return Problem(
            source, f"the frames folder {path} holds no {', '.join(IMAGE_SUFFIXES)} file and no {ARCHIVE}"
        )
    return folder


def _leak_warnings(table: pd.DataFrame) -> list[Problem]:
    return [
        Problem(f"subject {subject}", f"is in the partitions {' and '.join(within)}")
        for subject, within in values_within(table, "subject", "partition").items()
    ]
