"""What names on disk say about a video: its partition, recording, subject and task."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv")
AVEC2014_TASKS = ("Freeform", "Northwind")

_PARTITIONS = {
    "train": "training",
    "training": "training",
    "dev": "development",
    "devel": "development",
    "development": "development",
    "val": "development",
    "validation": "development",
    "test": "test",
    "testing": "test",
}
# AVEC's SUBJECT_SESSION: three digits (four in large synthetic copies), one digit. Nothing but
# punctuation may touch it, so that 203_1 is found neither in 1203_1 nor in 203_12.
_RECORDING = re.compile(r"(?<![0-9A-Za-z])[0-9]{3,4}_[0-9](?![0-9A-Za-z])")


@dataclass(frozen=True)
class VideoName:
    """What the path of a video says, ``""`` for what it does not say."""

    recording: str
    subject: str
    task: str


def read_name(path: PurePath) -> VideoName:
    """Read the path of a video without its suffix. Recording and subject are read off names like AVEC's only.

    >>> read_name(PurePath("Freeform/203_1_Freeform_video"))
    VideoName(recording='203_1', subject='203', task='Freeform')
    >>> read_name(PurePath("visit/2023_1_anna"))
    VideoName(recording='', subject='', task='')
    """
    recording = (is_avec_name(path.parts) and recording_in(path.name)) or ""
    return VideoName(recording, subject_of(recording), task_of(path.parts) or "")


def without_video_suffix(path: Path) -> Path:
    """The path without its suffix, if that is one of a video.

    >>> without_video_suffix(Path("a.b.MP4")).name, without_video_suffix(Path("a.b")).name
    ('a.b', 'a.b')
    """
    return path.with_suffix("") if path.suffix.lower() in VIDEO_SUFFIXES else path


def partition_named(name: str) -> str | None:
    """The partition that a word means, in any case and with its usual synonyms; None for other words.

    >>> partition_named("Testing"), partition_named("dev"), partition_named("Freeform")
    ('test', 'development', None)
    """
    return _PARTITIONS.get(name.strip().lower())


def partition_of(parts: Sequence[str]) -> str | None:
    """The partition that a path names: its deepest component that is the name of one."""
    return next((partition for part in reversed(parts) if (partition := partition_named(part))), None)


def recording_in(name: str) -> str | None:
    """The AVEC recording id (SUBJECT_SESSION) that stands in a name as a whole token.

    >>> recording_in("203_1_Freeform_video.mp4"), recording_in("203_12"), recording_in("x203_1")
    ('203_1', None, None)
    """
    found = _RECORDING.search(name)
    return found[0] if found else None


def is_avec_name(parts: Sequence[str]) -> bool:
    """Whether a path is named like a video of AVEC: by a task, by AVEC2013's ``cut``, or by the bare id.

    Digits alone say little: ``2023_1_anna`` is somebody else's name.

    >>> is_avec_name(("203_1_Freeform",)), is_avec_name(("203_1_cut_combined",)), is_avec_name(("203_1",))
    (True, True, True)
    >>> is_avec_name(("visit", "2023_1_anna"))
    False
    """
    name = parts[-1] if parts else ""
    return task_of(parts) is not None or name == recording_in(name) or "cut" in name.lower().split("_")


def subject_of(recording: str) -> str:
    """The subject of an AVEC recording id.

    >>> subject_of("203_1")
    '203'
    """
    return recording.partition("_")[0]


def task_of(parts: Sequence[str], tasks: Sequence[str] = AVEC2014_TASKS) -> str | None:
    """The task that a path names: its deepest component that is, or has as a token, the name of one.

    >>> task_of(("training", "freeform", "203_1"))
    'Freeform'
    >>> task_of(("training", "203_1_Northwind_video"))
    'Northwind'
    """
    known = {task.lower(): task for task in tasks}
    for part in reversed(parts):
        for token in re.split(r"[^0-9a-z]+", part.lower()):
            if token in known:
                return known[token]
    return None
