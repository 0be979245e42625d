"""Subjects that a run meets in more than one role: how much of a test is of people known from training."""

import pandas as pd

from depression_vr.data.manifest import Manifest
from depression_vr.errors import Problem

_PAIRS = (("training", "development"), ("training", "test"), ("development", "test"))


def subject_overlap(manifest: Manifest) -> dict[str, int]:
    """Count the subjects that two partitions share, and the test videos that it concerns.

    Returns:
        The number of shared subjects under ``training/development``, ``training/test`` and
        ``development/test``, and the number of test videos whose subject is in the other partition under
        ``test_videos_of_training_subjects`` and ``test_videos_of_development_subjects``.
    """
    table = manifest.table
    subjects = {partition: set(rows["subject"]) for partition, rows in table.groupby("partition")}
    shared = {
        f"{one}/{other}": len(subjects.get(one, set()) & subjects.get(other, set())) for one, other in _PAIRS
    }
    tested = table.loc[table["partition"] == "test", "subject"]
    known = {
        f"test_videos_of_{partition}_subjects": _count(tested, subjects.get(partition, set()))
        for partition in ("training", "development")
    }
    return shared | known


def _count(tested: pd.Series, known: set[str]) -> int:
    return int(tested.isin(known).sum())


def overlap_warning(manifest: Manifest) -> Problem | None:
    """`subject_overlap` in one line, without what is zero; None where all of it is."""
    overlap = subject_overlap(manifest)
    shared = [
        f"{overlap[f'{one}/{other}']} in {one} and {other}"
        for one, other in _PAIRS
        if overlap[f"{one}/{other}"]
    ]
    if not shared:
        return None
    tested = len(manifest.rows("test"))
    known = [
        f"{count} of {tested} test videos are of subjects in {partition}"
        for partition in ("training", "development")
        if (count := overlap[f"test_videos_of_{partition}_subjects"])
    ]
    return Problem("subjects in several partitions", "; ".join([", ".join(shared), *known]))
