"""AVEC's label files: one per recording, holding one integer, the BDI-II score."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from depression_vr.data.naming import partition_named, partition_of, recording_in
from depression_vr.errors import Problem

MAXIMUM = 63
PATTERNS = (
    "**/DepressionLabels/203_1_Depression.csv",
    "**/{Training,Development,Testing}_DepressionLabels/203_1_Depression.csv",
)

_FILE = re.compile(r"(?P<recording>.+)_depression\.csv", re.IGNORECASE)
_FOLDER = re.compile(r"(?:(?P<partition>[a-z]+)_)?depressionlabels", re.IGNORECASE)
_SCORE = re.compile(r"[+-]?[0-9]+(?:\.0*)?")
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Label:
    """The score of one recording.

    Attributes:
        recording: such as ``203_1``.
        score: BDI-II 0..63; None where a problem says why there is none.
        partition: the one that the folder of the label file names, if it names one.
        path: the label file.
    """

    recording: str
    score: int | None
    partition: str | None
    path: Path


def is_label_file(path: Path) -> bool:
    """Whether a path is like `PATTERNS`, in any case, whatever stands for the recording id."""
    folder = _FOLDER.fullmatch(path.parent.name)
    if not folder or not _FILE.fullmatch(path.name):
        return False
    return folder["partition"] is None or partition_named(folder["partition"]) is not None


def read_labels(paths: Sequence[Path], root: Path) -> tuple[dict[str, Label], list[Problem]]:
    """Read all label files below ``root``.

    Returns:
        One label per recording, and the problems: a file that is named for no recording or that is not
        one number in 0..63, several files of one recording that disagree.
    """
    problems: list[Problem] = []
    labels = sorted(
        filter(None, (_read_label(path, root, problems) for path in paths)), key=lambda label: label.recording
    )
    of_recording = {
        recording: _agreed(tuple(same), problems)
        for recording, same in groupby(labels, key=lambda label: label.recording)
    }
    return of_recording, problems


def _read_label(path: Path, root: Path, problems: list[Problem]) -> Label | None:
    named = _FILE.fullmatch(path.name)
    if not named or recording_in(named["recording"]) != named["recording"]:
        problems.append(Problem(str(path), "the name has no recording id such as 203_1 before _Depression"))
        return None
    score = _read_score(path)
    if isinstance(score, Problem):
        problems.append(score)
    return Label(
        recording=named["recording"],
        score=None if isinstance(score, Problem) else score,
        partition=_partition_of_label(path, root),
        path=path,
    )


def _read_score(path: Path) -> int | Problem:
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        return Problem(str(path), "the label file is not UTF-8 text")
    except OSError as error:
        return Problem(str(path), f"the label file cannot be read ({error.strerror})")
    if not text:
        return Problem(str(path), "the label file is empty")
    if not _SCORE.fullmatch(text):
        return Problem(
            str(path), f"the label file does not hold one integer but {text[:_SHOWN_CHARACTERS]!r}"
        )
    if not 0 <= float(text) <= MAXIMUM:
        return Problem(str(path), f"the label {text[:_SHOWN_CHARACTERS]} is outside 0..{MAXIMUM}")
    return int(float(text))


def _partition_of_label(path: Path, root: Path) -> str | None:
    folder = _FOLDER.fullmatch(path.parent.name)
    if folder and folder["partition"]:
        return partition_named(folder["partition"])
    return partition_of(path.parent.relative_to(root).parts)


def _agreed(labels: Sequence[Label], problems: list[Problem]) -> Label:
    """One label of the files of one recording. Copies that say the same are fine."""
    first = labels[0]
    where = ", ".join(str(label.path) for label in labels)
    scores = sorted({label.score for label in labels if label.score is not None})
    partitions = sorted({label.partition for label in labels if label.partition is not None})
    if len(scores) > 1:
        told = " and ".join(str(score) for score in scores)
        problems.append(Problem(where, f"different labels of recording {first.recording}: {told}"))
    if len(partitions) > 1:
        told = " and ".join(partitions)
        problems.append(Problem(where, f"recording {first.recording} is in two partitions: {told}"))
    return Label(
        recording=first.recording,
        score=scores[0] if len(scores) == 1 else None,
        partition=partitions[0] if len(partitions) == 1 else None,
        path=first.path,
    )
