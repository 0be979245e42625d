"""Which folder of frames or video belongs to which label, and all that does not fit together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from depression_vr.data.avec.labels import Label
from depression_vr.data.frames import IMAGE_SUFFIXES
from depression_vr.data.manifest import PARTITIONS
from depression_vr.errors import Problem


@dataclass(frozen=True)
class Place:
    """A folder or video file, and the recording that its path names."""

    path: Path
    partition: str
    recording: str
    task: str


@dataclass(frozen=True)
class Found:
    """What lies on disk for one or for all recordings.

    Attributes:
        frames: folders that hold images.
        bare: folders that directly hold no image.
        videos: video files.
    """

    frames: tuple[Place, ...]
    bare: tuple[Place, ...]
    videos: tuple[Place, ...]

    def everything(self) -> tuple[Place, ...]:
        """All places of any kind."""
        return (*self.frames, *self.bare, *self.videos)

    def only(self, *, recording: str = "", task: str = "") -> "Found":
        """The places of one recording, of one task, or both."""

        def kept(places: tuple[Place, ...]) -> tuple[Place, ...]:
            return tuple(
                place for place in places if recording in ("", place.recording) and task in ("", place.task)
            )

        return Found(kept(self.frames), kept(self.bare), kept(self.videos))


@dataclass(frozen=True)
class Video:
    """A folder of frames and its label."""

    frames: Place
    label: Label


def match(
    labels: Mapping[str, Label],
    found: Found,
    tasks: Sequence[str],
    image_root: Path,
    extraction: Callable[[Place], str],
) -> tuple[list[Video], list[Problem]]:
    """Bring labels and folders of frames together.

    Args:
        labels: by recording.
        found: what lies on disk.
        tasks: those that every recording must have.
        image_root: the folder that the frames lie below.
        extraction: says how to get the frames of a video file.

    Returns:
        The videos that have both, ordered by partition, recording and task; and a problem for whatever
        lacks its counterpart, is there twice, or contradicts itself.
    """
    videos: list[Video] = []
    not_extracted: list[Place] = []
    problems = _empty_partitions(found, image_root)
    for recording in sorted({*labels, *(place.recording for place in found.everything())}):
        own = found.only(recording=recording)
        label = labels.get(recording)
        if label is None:
            problems.append(_no_label(recording, own))
        if several := _several_partitions(recording, label, own):
            problems += several
            continue
        if label is not None and not own.everything():
            pattern = f"{image_root}/**/PARTITION/**/*{recording}*/"
            problems.append(Problem(str(label.path), f"a label but no folder of frames {pattern}"))
            continue
        matched, missing, raw = _match_tasks(recording, own, tasks)
        problems += missing
        not_extracted += raw
        if label is not None and label.score is not None:
            videos += [Video(place, label) for place in matched]
    if not_extracted:
        problems.append(_not_extracted(not_extracted, extraction))
    videos.sort(key=lambda video: _rank(video.frames))
    return videos, problems


def match_raw(
    labels: Mapping[str, Label], videos: Sequence[Place], tasks: Sequence[str]
) -> tuple[list[Place], list[Problem]]:
    """Find the one video file of every recording and task that has any, with a label or without.

    Returns:
        The videos, ordered by partition, recording and task; and a problem for every recording of which
        a task has several files, or which files or label put into several partitions.
    """
    found = Found(frames=(), bare=(), videos=tuple(videos))
    matched: list[Place] = []
    problems: list[Problem] = []
    for recording in sorted({place.recording for place in videos}):
        own = found.only(recording=recording)
        if several := _several_partitions(recording, labels.get(recording), own):
            problems += several
            continue
        for task in tasks:
            of_task = own.only(task=task).videos
            matched += of_task
            if len(of_task) > 1:
                problems.append(_several("video files", of_task, "keep one"))
    return sorted(matched, key=_rank), problems


def _rank(place: Place) -> int:
    return PARTITIONS.index(place.partition)


def _match_tasks(
    recording: str, own: Found, tasks: Sequence[str]
) -> tuple[list[Place], list[Problem], list[Place]]:
    """Folders of frames, what is wrong, and the videos whose frames are still to be extracted."""
    matched: list[Place] = []
    problems: list[Problem] = []
    not_extracted: list[Place] = []
    absent = []
    for task in tasks:
        of_task = own.only(task=task)
        if not of_task.everything():
            absent.append(task)
        elif len(of_task.frames) == 1:
            matched += of_task.frames
        elif of_task.videos and not of_task.frames:
            not_extracted += of_task.videos
        else:
            problems += _not_one_folder(of_task)
    if absent:
        present = [task for task in tasks if task not in absent]
        problems.append(
            Problem(
                str(own.everything()[0].path),
                f"recording {recording} has {', '.join(present)} but no {', '.join(absent)}; "
                f"data.tasks=[{','.join(present)}] leaves {', '.join(absent)} out everywhere",
            )
        )
    return matched, problems, not_extracted


def _not_one_folder(of_task: Found) -> list[Problem]:
    """Why one task of one recording, of which there are folders, has no one folder of frames."""
    if of_task.frames:
        fix = "keep one, or set data.image_root to a folder that only one of them lies in"
        return [_several("folders of frames", of_task.frames, fix)]
    suffixes = ", ".join(IMAGE_SUFFIXES)
    return [Problem(str(place.path), f"the frames folder holds no {suffixes} file") for place in of_task.bare]


def _not_extracted(videos: Sequence[Place], extraction: Callable[[Place], str]) -> Problem:
    """One problem for all videos, of which an interrupted extraction leaves hundreds."""
    whose = "its frames" if len(videos) == 1 else f"frames of {len(videos)} videos, such as this one,"
    return Problem(str(videos[0].path), f"{whose} have not been extracted; {extraction(videos[0])}")


def _several(what: str, places: Sequence[Place], fix: str) -> Problem:
    where = " and ".join(sorted(str(place.path) for place in places))
    first = places[0]
    return Problem(where, f"{len(places)} {what} for recording {first.recording}, {first.task}; {fix}")


def _no_label(recording: str, own: Found) -> Problem:
    where = ", ".join(str(place.path) for place in own.frames or own.everything())
    return Problem(where, f"no label: there is no {recording}_Depression.csv in a DepressionLabels folder")


def _several_partitions(recording: str, label: Label | None, own: Found) -> list[Problem]:
    within = {place.partition: place.path for place in own.everything()}
    if label is not None and label.partition is not None:
        within.setdefault(label.partition, label.path)
    if len(within) < 2:
        return []
    told = " and ".join(partition for partition in PARTITIONS if partition in within)
    where = ", ".join(str(within[partition]) for partition in PARTITIONS if partition in within)
    return [Problem(where, f"recording {recording} is in {len(within)} partitions: {told}")]


def _empty_partitions(found: Found, image_root: Path) -> list[Problem]:
    seen = {place.partition for place in found.everything()}
    return [
        Problem(str(image_root), f"the partition {partition} has no video")
        for partition in PARTITIONS
        if partition not in seen
    ]
