"""Read the frames of a video file: upright, at their times, resampled if asked for."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np

from depression_vr.faces.video.clock import Clock
from depression_vr.faces.video.decoding import Damage, pictures_of
from depression_vr.faces.video.opening import VideoError, average_rate, declared_duration, frames_in, opened
from depression_vr.faces.video.upright import Upright

_FORMATS_WITHOUT_PTS = ("avi",)  # FFmpeg guesses them, wrongly where there are B-frames; its dts are right


@dataclass(frozen=True)
class VideoHeader:
    """What a file says of its video before it is read.

    Attributes:
        width: of the upright picture, pixels.
        height: of the upright picture, pixels.
        rotation: by how many degrees the stored picture is turned clockwise to be upright: 0, 90, 180 or 270.
        frame_rate: average frames/s that the file declares.
        frames: how many frames a reader will yield, an estimate for progress bars; None when unknown.
        duration: seconds; None when unknown.
    """

    width: int
    height: int
    rotation: int
    frame_rate: float
    frames: int | None
    duration: float | None


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a video.

    Attributes:
        number: counts the frames that the reader yields, from 1.
        source: counts the frames decoded from the file, from 1: the one that is shown here.
        time: seconds since the first decoded frame; ``(number - 1) / fps`` when resampled.
    """

    number: int
    source: int
    time: float
    _picture: av.VideoFrame = field(repr=False, compare=False)
    _upright: Upright = field(repr=False, compare=False)

    def rgb(self) -> np.ndarray:
        """The upright picture, ``(H, W, 3)``, uint8 0..255, contiguous; converted anew at each call.

        A picture whose size differs from the first one's is scaled to the size in the header.
        """
        return self._upright.rgb(self._picture)


class VideoReader:
    """Reads the frames of a video file, as often as it is iterated.

    Times come from the file's timestamps and never go back. Where a timestamp is missing, time continues by
    the average rate; where it goes back, time stands still; where it goes back by more than a second or ahead
    by more than a minute, as in joined or damaged recordings, time runs on by one interval and follows the
    timestamps from there.

    With ``fps``, the frame at time ``k / fps`` is the decoded one whose time is nearest, of two the earlier.
    The last such time may pass that of the last decoded frame by less than half of the shorter interval.

    Frames that cannot be decoded whole are left out and counted in `damage`.

    Args:
        path: the video file.
        fps: frames/s to resample to; None yields every decoded frame at its own time.

    Raises:
        VideoError: in `header` and while iterating, when the file cannot be used.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        if fps is not None and not fps > 0:
            raise ValueError(f"fps must be above 0, not {fps}")
        self._path = path
        self._fps = fps
        self._clock = Clock()
        self._damage = Damage()

    def header(self) -> VideoHeader:
        """Open the file and decode its first frame.

        Raises:
            VideoError: the file cannot be used.
        """
        with opened(self._path) as (container, stream):
            picture = next(pictures_of(container, stream, Damage()), None)
            if picture is None:
                raise VideoError("no frame of its video can be decoded")
            upright = Upright.of(picture)
            rate = average_rate(stream)
            return VideoHeader(
                *upright.size,
                rotation=upright.rotation,
                frame_rate=float(rate),
                frames=frames_in(container, stream, self._fps or rate),
                duration=declared_duration(container, stream),
            )

    def __iter__(self) -> Iterator[VideoFrame]:
        self._clock = Clock()
        self._damage = Damage()
        frames = self._frames(self._clock, self._damage)
        return frames if self._fps is None else _resampled(frames, self._fps, self._clock)

    def _frames(self, clock: Clock, damage: Damage) -> Generator[VideoFrame, None, None]:
        with opened(self._path) as (container, stream):
            clock.start(stream, by_dts=container.format.name in _FORMATS_WITHOUT_PTS)
            upright = None
            for picture in pictures_of(container, stream, damage):
                upright = upright or Upright.of(picture)
                yield VideoFrame(damage.decoded, damage.decoded, clock.time(picture), picture, upright)
            if upright is None:
                raise VideoError("no frame of its video can be decoded")

    @property
    def decoded(self) -> int:
        """How many frames the latest iteration decoded from the file."""
        return self._damage.decoded

    @property
    def damage(self) -> str | None:
        """What the latest iteration found damaged; None for a whole file. Known when it has ended."""
        return self._damage.described()

    @property
    def variable_frame_rate(self) -> bool:
        """Whether times in the latest iteration differ from an even rate by more than 10% of an interval.

        Rounding of timestamps does not count; a gap that damage left does.
        """
        return self._clock.uneven

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last one that the latest iteration decoded."""
        return self._clock.end


def _resampled(frames: Generator[VideoFrame, None, None], fps: float, clock: Clock) -> Iterator[VideoFrame]:
    number = 1
    before: VideoFrame | None = None
    with closing(frames):
        for frame in frames:
            if before is not None:
                middle = (before.time + frame.time) / 2 + 1e-6
                while (number - 1) / fps <= middle:
                    yield replace(before, number=number, time=(number - 1) / fps)
                    number += 1
            before = frame
    if before is None:
        return
    last = before.time + min(1 / fps, clock.end - before.time) / 2
    while (number - 1) / fps < last:
        yield replace(before, number=number, time=(number - 1) / fps)
        number += 1
