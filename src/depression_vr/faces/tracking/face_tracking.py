"""Follow every face through a video: a search now and then, landmarks in every frame."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, PositiveInt, validate_call

from depression_vr.data.videos import RawVideo
from depression_vr.faces.landmarks import LandmarkDetector
from depression_vr.faces.tracking.pursuit import Pursuit
from depression_vr.faces.tracking.track_table import FrameFaces
from depression_vr.faces.video import VideoFrame

Share = Annotated[float, Field(ge=0, le=1)]


class FaceTracking:
    """Finds faces in every n-th frame and follows them in between.

    Between two searched frames that show the same face its box is interpolated and its landmarks are found
    in it. A face that a search has missed is followed from frame to frame while it looks as it did. Where
    a followed face does not look like itself in the searched frame, that frame is searched too.

    Args:
        backend: finds faces and landmarks.
        every: search each so many frames; 1 searches all.
        every_seconds: search again after so many seconds at the latest, however few frames they have.
        min_likeness: the correlation (-1..1) of a followed face with itself in the searched frame from which
            on it is believed.
        min_overlap: the overlap (intersection over union, 0..1) of two boxes from which on they are one
            person's.
        unseen_limit: how many seconds a face is followed that the detector does not find.
        batch_frames: about so many frames are in memory, and go to the detector together.
    """

    CHANGES_NO_FRAME = ("batch_frames",)

    @validate_call(config=ConfigDict(arbitrary_types_allowed=True))
    def __init__(
        self,
        backend: LandmarkDetector,
        every: PositiveInt = 10,
        every_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5,
        min_likeness: Annotated[float, Field(ge=-1, le=1)] = 0.7,
        min_overlap: Share = 0.2,
        unseen_limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0,
        batch_frames: PositiveInt = 16,
    ) -> None:
        self.backend = backend
        self.every = every
        self.every_seconds = every_seconds
        self.min_likeness = min_likeness
        self.min_overlap = min_overlap
        self.unseen_limit = unseen_limit
        self.batch_frames = batch_frames

    def prepare(self) -> None:
        """Make sure that packages and weights are there.

        Raises:
            UserError: what is missing, where it belongs, and what works without it.
        """
        self.backend.prepare()

    def processes(self) -> int:
        """As many as the backend gains by."""
        return self.backend.processes()

    def files(self, video: RawVideo) -> tuple[Path, ...]:
        """What is read beside the video: nothing."""
        return ()

    def track(self, frames: Iterable[VideoFrame], video: RawVideo) -> Iterator[FrameFaces]:
        """Follow all faces; yields every frame, in order."""
        pursuit = Pursuit(
            self.backend,
            min_likeness=self.min_likeness,
            min_overlap=self.min_overlap,
            unseen_limit=self.unseen_limit,
        )
        groups: list[list[VideoFrame]] = []
        for group in self._groups(frames):
            groups.append(group)
            if sum(map(len, groups)) >= self.batch_frames:
                yield from pursuit.follow(groups)
                groups = []
        yield from pursuit.follow(groups)

    def _groups(self, frames: Iterable[VideoFrame]) -> Iterator[list[VideoFrame]]:
        """Consecutive frames of which the last is to be searched; the first frame is a group by itself."""
        group: list[VideoFrame] = []
        searched = -math.inf
        for frame in frames:
            group.append(frame)
            if len(group) == self.every or frame.time - searched >= self.every_seconds:
                yield group
                searched, group = frame.time, []
        if group:
            yield group
