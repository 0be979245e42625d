"""The folder that preprocessing fills: where each video's frames lie, and which of them are finished."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from depression_vr.data.packed import listed_frames
from depression_vr.data.videos import RawVideo
from depression_vr.errors import UserError
from depression_vr.files import write_json

SUMMARY = "summary.json"
TRACKS = "tracks.parquet"
QUALITY = "quality.parquet"

_NO_PARTITION = "videos"
_FAILED = "failed"
_LOCKS = ".locks"
_LONGEST_NAME = 200  # bytes; disks take 255, and some are needed around it


class BusyError(Exception):
    """Another process works on the same video."""


class OccupiedError(Exception):
    """The folder of a video's frames lies inside of another video's, or around it."""


class Output:
    """A folder of finished videos, ``<partition>/<task>/<video_id>/``, each there whole or not at all.

    Args:
        root: the folder; made where it is not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the folder, and make sure that it can be written to.

        Raises:
            UserError: it cannot.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise UserError(
                f"nothing can be written to {self.root}: {error.strerror}",
                where="config key out",
                fix="name a folder that can be written to, or that can be made",
            ) from error

    def require(self) -> None:
        """Make sure that the folder is there.

        Raises:
            UserError: it is not.
        """
        if not self.root.is_dir():
            raise UserError(
                f"there is no folder {self.root}",
                where="config key out",
                fix="name the folder that videos were preprocessed into",
            )

    def folder(self, video: RawVideo) -> Path:
        """Where the frames of a video belong."""
        return self.root / ("" if video.partition else _NO_PARTITION) / video.folder

    def failure_file(self, video: RawVideo) -> Path:
        """Where it is written why a video could not be finished."""
        place = self.folder(video).relative_to(self.root)
        name = place.name if len(os.fsencode(place.name)) <= _LONGEST_NAME else _short(place.name)
        return self.root / _FAILED / place.with_name(f"{name}.json")

    def summary(self, video: RawVideo) -> dict[str, Any] | None:
        """The summary that lies with a video's frames, which are not looked at; None where there is none."""
        return _read_json(self.folder(video) / SUMMARY)

    def finished(self, video: RawVideo) -> dict[str, Any] | None:
        """The summary of a finished video; None where it is not finished, or files are missing or damaged."""
        folder = self.folder(video)
        summary = self.summary(video)
        if summary is None or not (folder / TRACKS).is_file() or not (folder / QUALITY).is_file():
            return None
        try:
            frames = len(listed_frames(folder))
        except OSError:
            return None
        return summary if frames == summary.get("frames_written") else None

    def summaries(self) -> Iterator[dict[str, Any]]:
        """The summaries of everything that is finished, in the order of their folders."""
        for folder in self.finished_folders():
            if (summary := _read_json(folder / SUMMARY)) is not None:
                yield summary

    def finished_folders(self) -> Iterator[Path]:
        """The folders of everything that is finished, in their order; frames are not looked at."""
        yield from self._finished_folders(self.root)

    def _finished_folders(self, folder: Path) -> Iterator[Path]:
        if (folder / SUMMARY).is_file():  # before a look inside: there may be 90,000 frames
            yield folder
            return
        with os.scandir(folder) as entries:
            subfolders = sorted(entry.name for entry in entries if entry.is_dir())
        for name in subfolders:
            if not name.startswith("."):
                yield from self._finished_folders(folder / name)

    def failures(self) -> Iterator[dict[str, Any]]:
        """What is known of the videos that could not be finished, in the order of their names."""
        for path in sorted((self.root / _FAILED).rglob("*.json")):
            if (note := _read_json(path)) is not None:
                yield note

    @contextmanager
    def locked(self, video: RawVideo) -> Iterator[None]:
        """Keep other processes off a video; the lock ends with the process, however it ends.

        Raises:
            BusyError: another process has it.
        """
        locks = self.root / _LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{_short(self.folder(video).relative_to(self.root).as_posix())}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise BusyError("another process is working on it") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def unfinished(self, video: RawVideo) -> Iterator[Path]:
        """A hidden folder to fill, which takes its place in one step when the block ends without an error.

        What an earlier attempt left is removed first, and what this one made is removed on an error.

        Raises:
            OccupiedError: another video, of another run, has its frames above or below.
        """
        folder = self.folder(video)
        self._refuse_nesting(folder)
        partial = folder.with_name(f".{_short(folder.name)}.partial")
        replaced = folder.with_name(f".{_short(folder.name)}.replaced")
        _tidy(folder, partial, replaced)
        try:
            partial.mkdir(parents=True)
            yield partial
            _flush(partial)
            if folder.exists():
                folder.rename(replaced)
            partial.rename(folder)
        finally:
            _tidy(folder, partial, replaced)

    def _refuse_nesting(self, folder: Path) -> None:
        above = [parent for parent in folder.parents if parent.is_relative_to(self.root)]
        around = next((parent for parent in above if (parent / SUMMARY).is_file()), None)
        below = folder.is_dir() and not (folder / SUMMARY).is_file() and any(folder.iterdir())
        if around or below:
            other = f"lie in {around}" if around else "have other videos below them"
            raise OccupiedError(f"its frames would {other}; rename the video, or use another output folder")

    def update(self, video: RawVideo) -> None:
        """Note what is known now of a finished video, such as a corrected label; nothing of it has failed."""
        path = self.folder(video) / SUMMARY
        summary = self.summary(video)
        known = {"subject": video.subject, "recording": video.recording, "label": video.label}
        if summary is not None and summary != {**summary, **known}:
            write_json(path, {**summary, **known})
        self.forget_failure(video)

    def note_failure(self, video: RawVideo, reason: str) -> None:
        """Write down why a video could not be finished, if the disk lets us."""
        note = {"video_id": video.video_id, "partition": video.partition, "task": video.task}
        with suppress(OSError):
            write_json(self.failure_file(video), {**note, "path": str(video.path), "reason": reason})

    def forget_failure(self, video: RawVideo) -> None:
        """A video that had failed is finished now."""
        self.failure_file(video).unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Send a folder and its files to the disk: their name must not outlive a power cut that they do not."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _tidy(folder: Path, partial: Path, replaced: Path) -> None:
    """Remove what an attempt has left; one that ended between its two renames gets its old result back."""
    if replaced.exists() and not folder.exists():
        replaced.rename(folder)
    for leftover in (partial, replaced):
        shutil.rmtree(leftover, ignore_errors=True)


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content
