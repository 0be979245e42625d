"""What `predict` is pointed at: raw videos, or frames that are ready."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from depression_vr.data.frames import FrameFolder
from depression_vr.data.naming import VIDEO_SUFFIXES
from depression_vr.data.packed import listed_frames
from depression_vr.data.videos import RawVideo, videos_in
from depression_vr.errors import UserError
from depression_vr.explaining.frame_times import frame_times
from depression_vr.faces.output import QUALITY, SUMMARY
from depression_vr.faces.recorded import read_summary

_NO_CORPUS = OmegaConf.create()  # that would know a frame rate
_QUALITY_COLUMNS = ("frame", "time", "state", "sharpness", "score")
_THREADS = 8

FACES = "faces"
"""Where in the output folder the frames of raw videos are."""
PREDICTIONS = "predictions"
"""Name of the tables of all predictions in the output folder, without suffix."""


@dataclass(frozen=True, eq=False)
class ReadyVideo:
    """A video whose frames are there.

    Attributes:
        video_id: names it in all outputs.
        source: the file or folder that was given.
        frames: of the face; there may be none.
        summary: what preprocessing knows of them; None of frames from elsewhere.
    """

    video_id: str
    source: Path
    frames: FrameFolder
    summary: Mapping[str, Any] | None

    @classmethod
    def of(cls, video_id: str, source: Path, folder: Path) -> "ReadyVideo":
        """The frames in a folder.

        Raises:
            UserError: it cannot be read.
        """
        try:
            return cls(video_id, source, listed_frames(folder), read_summary(folder))
        except OSError as error:
            raise UserError(
                f"the frames cannot be read: {error.strerror or error}",
                where=str(folder),
                fix="restore the folder, or name another one with input=",
            ) from error

    def quality(self) -> pd.DataFrame | None:
        """Per frame of the video ``frame, time, state, sharpness, score``; None where that is not known."""
        try:
            return pd.read_parquet(self.frames.path / QUALITY, columns=list(_QUALITY_COLUMNS))
        except (OSError, ValueError):
            return None

    def times(self) -> np.ndarray | None:
        """Seconds of each frame, ``(n,)``; None where that is not known."""
        return frame_times(self.frames, _NO_CORPUS)


def found_inputs(path: Path, out: Path) -> tuple[RawVideo, ...] | tuple[ReadyVideo, ...]:
    """Frames of one video, or of those that preprocessing has finished below a folder; else raw videos.

    Args:
        path: the file or folder.
        out: the folder of all outputs, which may lie below; the frames that are made there are left out, and
            those in the output folders of other calls.

    Raises:
        UserError: there is nothing of that, or there are both frames and raw videos.
    """
    path = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100, links keep their names, ".." goes
    if not path.is_dir():
        return videos_in(path)
    one = ReadyVideo.of(path.name, path, path)
    if len(one.frames):
        _refuse_videos_among(one)
        return (one,)
    folders, a_video = [], None
    for found in _below(path, path, out):
        if found.suffix.lower() in VIDEO_SUFFIXES and not (found / SUMMARY).is_file():
            a_video = a_video or found
        else:
            folders.append(found)
        if folders and a_video:
            raise _of_both_kinds(path, a_video, folders[0])
    if folders:
        with ThreadPoolExecutor(_THREADS) as pool:
            return tuple(
                pool.map(
                    lambda folder: ReadyVideo.of(folder.relative_to(path).as_posix(), folder, folder), folders
                )
            )
    try:
        return videos_in(path)
    except UserError as error:
        if not error.problems:  # there is no video
            error.fix = (
                "name a video file, a folder of videos, a folder that `preprocess` has filled, "
                "or a folder with the frames of one video; of frames from elsewhere one video at a time"
            )
        raise


def _below(folder: Path, root: Path, out: Path) -> Iterator[Path]:
    """Finished folders of frames, which are not looked into, and the files of videos."""
    if (folder / SUMMARY).is_file():
        yield folder
        return
    try:
        with os.scandir(folder) as listed:
            entries = sorted(
                (entry.name, entry.is_dir()) for entry in listed if not entry.name.startswith(".")
            )
    except OSError as error:
        raise UserError(
            f"the folder cannot be read: {error.strerror or error}",
            where=str(folder),
            fix="make it readable, or name another one with input=",
        ) from error
    for name, is_folder in entries:
        if is_folder and not _is_of_predictions(folder / name, root, out):
            yield from _below(folder / name, root, out)
        elif not is_folder and Path(name).suffix.lower() in VIDEO_SUFFIXES:
            yield folder / name


def _is_of_predictions(folder: Path, root: Path, out: Path) -> bool:
    """Whether this command has made these frames, of raw videos."""
    if folder.name != FACES:
        return False
    if folder.parent == out:
        return True
    return folder.parent != root and (folder.parent / f"{PREDICTIONS}.json").is_file()


def _of_both_kinds(path: Path, video: Path, frames: Path) -> UserError:
    return UserError(
        f"the folder holds both raw videos, such as {video.relative_to(path)}, and frames that are ready, "
        f"such as {frames.relative_to(path)}",
        where=str(path),
        fix="name a folder that holds only the ones or the others",
    )


def _refuse_videos_among(video: ReadyVideo) -> None:
    beside = [file.name for file in video.source.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES]
    if beside:
        raise UserError(
            f"the folder holds both images and videos, such as {beside[0]}",
            where=str(video.source),
            fix="name a video, or move the images elsewhere",
        )
