"""Seconds that never go back, from a file's timestamps."""

import math
from fractions import Fraction

import av
from av.video.stream import VideoStream

from depression_vr.faces.video.opening import average_rate

_UNEVEN = 0.1  # of the mean interval
_STEP_BACK = 1.0  # seconds; more is a recording that begins anew
_STEP_AHEAD = 60.0  # seconds; more is no pause, and resampling would fill it with copies


class Clock:
    """Turns timestamps into seconds that never go back, and keeps count of how even they are."""

    def __init__(self) -> None:
        self._frames = 0
        self.end = 0.0  # of the latest picture, seconds
        self._now = 0.0
        self._shift = 0.0
        self._shortest = math.inf
        self._longest = 0.0

    def start(self, stream: VideoStream, by_dts: bool) -> None:
        """Begin with a stream, by its packets' dts where its pts are not to be trusted."""
        self._tick = stream.time_base or Fraction(1, 1000)
        self._interval = float(1 / average_rate(stream))
        self._by_dts = by_dts
        self._first: int | None = None

    def time(self, picture: av.VideoFrame) -> float:
        """Seconds since the first picture."""
        stamp = picture.dts if self._by_dts else picture.pts
        if self._frames:
            self._move_to(self._stamped(stamp))
        elif stamp is not None:
            self._first = stamp
        self._frames += 1
        self.end = self._now + (float(picture.duration * self._tick) or self._mean_interval())
        return self._now

    def _stamped(self, stamp: int | None) -> float:
        if stamp is None:
            return self._now + self._interval
        if self._first is None:
            self._first, self._shift = stamp, self._now + self._interval
        time = float((stamp - self._first) * self._tick) + self._shift
        if not -_STEP_BACK <= time - self._now <= _STEP_AHEAD:
            self._shift += self._now + self._interval - time
            return self._now + self._interval
        return max(time, self._now)

    def _move_to(self, time: float) -> None:
        self._shortest = min(self._shortest, time - self._now)
        self._longest = max(self._longest, time - self._now)
        self._now = time

    def _mean_interval(self) -> float:
        return self._now / (self._frames - 1) if self._now else self._interval

    @property
    def uneven(self) -> bool:
        """Whether an interval differed from the mean one by more than a tenth, beyond rounding."""
        if self._frames < 3:
            return False
        mean = self._mean_interval()
        rounding = float(self._tick) if mean > 2 * self._tick else 0.0
        return max(self._longest - mean, mean - self._shortest) > _UNEVEN * mean + rounding
