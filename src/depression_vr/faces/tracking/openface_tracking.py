"""The tracks that OpenFace has followed already, read instead of found."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, validate_call

from depression_vr.data.videos import RawVideo
from depression_vr.errors import UserError
from depression_vr.faces.tracking.openface_files import (
    LandmarkFileError,
    OpenFaceRow,
    landmark_file,
    landmark_rows,
)
from depression_vr.faces.tracking.track_table import FrameFaces, Sighting
from depression_vr.faces.video import VideoFrame
from depression_vr.parallel import cores

_RATE_TOLERANCE = 0.1
_SECONDS_TOLERANCE = 0.5
_FRAMES_TOLERANCE = 30  # that are left over where frames are resampled, or a file is damaged


class OpenFaceTracking:
    """Takes each frame's landmarks from the CSV file that OpenFace wrote for the video.

    Args:
        folder: where the CSV files lie, at any depth.
        min_confidence: a frame of which OpenFace is less sure (0..1) has no face.
    """

    CHANGES_NO_FRAME = ("folder",)  # the file itself counts

    @validate_call
    def __init__(self, folder: Path, min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.7) -> None:
        self.folder = folder
        self.min_confidence = min_confidence

    def prepare(self) -> None:
        """Make sure that the folder of CSV files is there.

        Raises:
            UserError: it is not.
        """
        if not self.folder.is_dir():
            raise UserError(
                f"there is no folder {self.folder} with OpenFace's CSV files",
                where="config key faces.folder",
                fix="give the folder that OpenFace's FeatureExtraction wrote to (its option -out_dir)",
            )

    def processes(self) -> int:
        """One per core."""
        return cores()

    def files(self, video: RawVideo) -> tuple[Path, ...]:
        """The CSV file of a video.

        Raises:
            LandmarkFileError: there is none, or more than one.
        """
        return (landmark_file(self.folder, video.path, video.video_id),)

    def track(self, frames: Iterable[VideoFrame], video: RawVideo) -> Iterator[FrameFaces]:
        """The faces of every frame; a frame without a row has none.

        Raises:
            LandmarkFileError: the CSV file is missing, wrong, or of another video or rate.
        """
        (path,) = self.files(video)
        by_frame = groupby(landmark_rows(path, self.min_confidence), key=lambda row: row.frame)
        at, rows = 0, tuple[OpenFaceRow, ...]()
        source = 0
        for frame in frames:
            source = frame.source
            while at < source:
                following = next(by_frame, None)
                if following is None:
                    at, rows = source, ()
                    break
                at, rows = following[0], tuple(following[1])
            here = rows if at == source else ()
            _require_same_time(here, frame, path)
            yield FrameFaces(frame.number, source, frame.time, len(here), tuple(map(_sighting, here)))
        last = max((number for number, _ in by_frame), default=at)
        if last > source * (1 + _RATE_TOLERANCE) + _FRAMES_TOLERANCE:
            raise LandmarkFileError(
                f"{path} is of another video: it has frame {last}, the video ends at {source}"
            )


def _require_same_time(rows: Sequence[OpenFaceRow], frame: VideoFrame, path: Path) -> None:
    """OpenFace counts time by the average rate, so times agree only about."""
    for row in rows:
        if abs(row.time - frame.time) > _RATE_TOLERANCE * frame.time + _SECONDS_TOLERANCE:
            raise LandmarkFileError(
                f"{path} is of another video or rate: frame {row.frame} is at {row.time:.2f} s there, "
                f"in the video at {frame.time:.2f} s"
            )


def _sighting(row: OpenFaceRow) -> Sighting:
    box = np.concatenate([row.landmarks.min(axis=0), row.landmarks.max(axis=0)])
    return Sighting(row.face, True, row.confidence, row.confidence, box, row.landmarks)
