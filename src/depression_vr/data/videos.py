"""The raw videos that preprocessing turns into folders of face frames."""

import os
import shlex
import stat
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from depression_vr.data.naming import VIDEO_SUFFIXES, read_name
from depression_vr.data.problems import repeated, stop_at
from depression_vr.errors import Problem, UserError


@dataclass(frozen=True, slots=True)
class RawVideo:
    """One video file and what is known of it.

    Attributes:
        video_id: names the video and, with partition and task before it, its folder of face frames; a
            relative path with ``/``.
        path: the file, absolute.
        label: as the labels write it; ``""`` where there is none.
        partition: training, development or test; ``""`` where it is not known.
        subject: the person.
        task: such as Freeform; ``""`` where it is not known.
        recording: what the videos of one session share.
    """

    video_id: str
    path: Path
    label: str
    partition: str
    subject: str
    task: str
    recording: str

    @property
    def folder(self) -> PurePosixPath:
        """Where the face frames belong, relative to the output: ``<partition>/<task>/<video_id>``."""
        return PurePosixPath(self.partition, self.task, self.video_id)


def preprocess_command(*overrides: str) -> str:
    """The command that preprocesses a corpus, to be pasted into a shell.

    >>> preprocess_command("data=avec2014", "data.root=/my corpora/AVEC2014", "out=FACES")
    "python -m depression_vr.preprocess data=avec2014 'data.root=/my corpora/AVEC2014' out=FACES"
    """
    return shlex.join(("python", "-m", "depression_vr.preprocess", *overrides))


def videos_in(path: Path) -> tuple[RawVideo, ...]:
    """One video file, whatever its suffix, or all files of `VIDEO_SUFFIXES` in a folder, at any depth.

    Symbolic links are followed, hidden files and folders left out. A video's id is its path below the
    folder without the suffix, and so are its recording and subject unless it is named like one of AVEC's.

    Returns:
        The videos in the order of their paths, without labels and partitions.

    Raises:
        UserError: there is no video, or every one whose name cannot name a folder of frames.
    """
    path = path.expanduser().absolute()
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _no_input(f"{path} cannot be read ({getattr(error, 'strerror', error)})") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _no_input(f"{path} is neither a file nor a folder")
    one = stat.S_ISREG(mode)
    files, problems = ([path], []) if one else _files_below(path)
    if not files and not problems:
        suffixes = ", ".join(VIDEO_SUFFIXES)
        raise _no_input(f"the folder {path} holds no video at any depth: no file {suffixes}")
    videos = tuple(_unlabelled(file, path.parent if one else path) for file in files)
    problems += folder_problems([(_printable(video.path), video) for video in videos])
    stop_at(f"the input {path}", problems, "preprocessed")
    return videos


def folder_problems(videos: Sequence[tuple[str, RawVideo]]) -> list[Problem]:
    """Why videos cannot have folders of frames named for them.

    Args:
        videos: each with its source, such as ``videos.csv line 12``.

    Returns:
        A problem for every video_id and task that is no path below the output, for every video_id that
        occurs twice, if only on a disk that does not tell upper from lower case, and for every folder
        that would lie inside of the one of another video.
    """
    wrong = [
        Problem(source, f"the {column} {given!r} cannot name a folder: {reason}")
        for source, video in videos
        for column, given in (("video_id", video.video_id), ("task", video.task or "none"))
        if (reason := _no_folder_name(given))
    ]
    return [
        *wrong,
        *repeated("video_id", ((source, video.video_id) for source, video in videos)),
        *_case_problems(videos),
        *_nesting_problems(videos),
    ]


def _no_input(what: str) -> UserError:
    return UserError(what, where="config key input", fix="name a video file, or a folder of videos")


def _files_below(root: Path) -> tuple[list[Path], list[Problem]]:
    """The video files at any depth, each folder looked into once, whatever links lead to it."""
    files: list[Path] = []
    problems: list[Problem] = []

    def unreadable(error: OSError) -> None:
        problems.append(Problem(_printable(error.filename), f"the folder cannot be read ({error.strerror})"))

    seen = set()
    for folder, subfolders, names in os.walk(root, onerror=unreadable, followlinks=True):
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            subfolders.clear()
            continue
        seen.add(identity)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        files += [Path(folder, name) for name in names if _is_video_name(name)]
    return sorted(files), problems


def _is_video_name(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES


def _unlabelled(path: Path, root: Path) -> RawVideo:
    inside = path.relative_to(root).with_suffix("")
    named = read_name(inside)
    video_id = inside.as_posix()
    return RawVideo(
        video_id=video_id,
        path=path,
        label="",
        partition="",
        subject=named.subject or video_id,
        task=named.task,
        recording=named.recording or video_id,
    )


def _printable(path: object) -> str:
    """A path whose name may not be UTF-8, as text that any terminal or log file takes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _no_folder_name(given: str) -> str | None:
    """Why a text names no folder below another one, in a way that a table of paths can repeat."""
    components = given.split("/")
    reasons = {
        "it is empty": not given,
        "it is an absolute path": given.startswith("/"),
        "it has a '..'": ".." in components,
        "it has an empty component or a '.'": bool({"", "."} & {*components}),
        "a component begins with a dot, and hidden folders are left out": "/." in f"/{given}",
        "it has a backslash": "\\" in given,
        "it has white space at an end": given != given.strip(),
        "it has a control character": min(given, default=" ") < " ",
        "it is not UTF-8": given != given.encode("utf-8", "replace").decode(),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _case_problems(videos: Sequence[tuple[str, RawVideo]]) -> list[Problem]:
    spellings: dict[str, dict[str, str]] = defaultdict(dict)
    for source, video in videos:
        spellings[video.video_id.lower()].setdefault(video.video_id, source)
    return [
        Problem(
            ", ".join(sources.values()),
            f"the video_ids {' and '.join(map(repr, sources))} differ only in upper and lower case, "
            "which many disks do not tell apart",
        )
        for sources in spellings.values()
        if len(sources) > 1
    ]


def _nesting_problems(videos: Sequence[tuple[str, RawVideo]]) -> list[Problem]:
    """Frames that would lie in or below the folder of another video's frames."""
    folders = [str(video.folder).lower() for _, video in videos]
    owners = {
        folder: owner
        for folder, owner in zip(folders, videos, strict=True)
        if not _no_folder_name(owner[1].video_id)
    }
    problems = []
    for (source, video), folder in zip(videos, folders, strict=True):
        above = folder
        while above:
            other_source, other = owners.get(above, (source, video))
            if other.video_id.lower() != video.video_id.lower():
                what = f"the frames of {video.video_id!r} would lie among those of {other.video_id!r}"
                problems.append(Problem(f"{source}, {other_source}", what))
            above = above.rpartition("/")[0]
    return problems
