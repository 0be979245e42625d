"""The folders and files that the paths of a table mean."""

import os
import stat
from pathlib import Path

from depression_vr.data.naming import VIDEO_SUFFIXES, without_video_suffix


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
    if isinstance(exact, str) or is_folder(exact):
        return exact
    bare = without_video_suffix(exact)
    candidates = list(dict.fromkeys((bare, Path(f"{bare}_aligned"), Path(f"{exact}_aligned"))))
    folders = [candidate for candidate in candidates if is_folder(candidate)]
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
    if is_folder(exact):
        return f"{exact} is a folder, not a video file"
    return f"no video file {exact}"


def absolute(given: str, image_root: Path) -> Path:
    """A path as the table has it, from the image root on if it is relative."""
    return Path(os.path.normpath(image_root / given.replace("\\", "/")))


def is_folder(path: Path) -> bool:
    """Whether there is a folder; not where that cannot be seen."""
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _within(image_root: Path, given: str) -> Path | str:
    if not given:
        return "the path is missing"
    path = absolute(given, image_root)
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


def _is_file(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # not there, a name too long, a parent that may not be searched
        return None
