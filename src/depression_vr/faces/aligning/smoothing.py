"""Landmarks over time: short gaps bridged, the trembling of single frames smoothed away."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from depression_vr.faces.tracking.track_table import FrameFaces

State = Literal["detected", "tracked", "interpolated", "lost"]

_REACH = 3.0  # standard deviations


@dataclass(frozen=True)
class Pose:
    """One frame of the followed person.

    Attributes:
        frame: what tracking found.
        state: how the landmarks came about.
        landmarks: shape ``(68, 2)``; None where the frame is lost.
    """

    frame: FrameFaces
    state: State
    landmarks: np.ndarray | None


def bridge(frames: Iterable[FrameFaces], limit: float) -> Iterator[Pose]:
    """Interpolate landmarks linearly over gaps of at most ``limit`` seconds; longer gaps are lost.

    The length of a gap is the time between the frames before and after it. Gaps at either end are lost.
    """
    last: Pose | None = None
    gap: list[FrameFaces] = []
    for frame in frames:
        if not frame.sightings:
            gap.append(frame)
            if last is None or gap[-1].time - last.frame.time > limit:
                yield from (Pose(lost, "lost", None) for lost in gap)
                gap.clear()
                last = None
            continue
        sighting = frame.sightings[0]
        here = Pose(frame, "detected" if sighting.detected else "tracked", sighting.landmarks)
        if last is not None and frame.time - last.frame.time > limit:
            last = None
        yield from _over(gap, last, here)
        gap.clear()
        yield here
        last = here
    yield from (Pose(lost, "lost", None) for lost in gap)


def _over(gap: list[FrameFaces], before: Pose | None, after: Pose) -> Iterator[Pose]:
    for frame in gap:
        if before is None or before.landmarks is None or after.landmarks is None:
            yield Pose(frame, "lost", None)
            continue
        span = after.frame.time - before.frame.time
        share = (frame.time - before.frame.time) / span if span > 0 else 0.0
        yield Pose(frame, "interpolated", (1 - share) * before.landmarks + share * after.landmarks)


def smooth(poses: Iterable[Pose], deviation: float) -> Iterator[Pose]:
    """Smooth landmarks by local quadratic regression over time with Gaussian weights.

    Unlike a moving average it leaves movement of constant acceleration as it is, and it takes frames at
    uneven times. Frames before and after a lost one have nothing to do with each other.

    Args:
        poses: in the order of time.
        deviation: standard deviation of the weights in seconds; 0 leaves everything as it is.
    """
    if deviation == 0:
        yield from poses
        return
    window: deque[Pose] = deque()
    waiting: deque[Pose] = deque()
    for pose in poses:
        if pose.landmarks is None:
            yield from _smoothed_all(waiting, window, deviation)
            window.clear()
            yield pose
            continue
        window.append(pose)
        waiting.append(pose)
        while pose.frame.time - waiting[0].frame.time > _REACH * deviation:
            yield _smoothed(waiting.popleft(), window, deviation)
            while waiting[0].frame.time - window[0].frame.time > _REACH * deviation:
                window.popleft()
    yield from _smoothed_all(waiting, window, deviation)


def _smoothed_all(waiting: deque[Pose], window: deque[Pose], deviation: float) -> Iterator[Pose]:
    while waiting:
        yield _smoothed(waiting.popleft(), window, deviation)


def _smoothed(pose: Pose, window: deque[Pose], deviation: float) -> Pose:
    offsets = np.array([other.frame.time - pose.frame.time for other in window]) / deviation
    near = np.abs(offsets) <= _REACH
    offsets = offsets[near]
    points = np.array([other.landmarks for other in window])[near]
    degree = min(2, len(np.unique(offsets)) - 1)
    powers = offsets[:, None] ** np.arange(degree + 1)
    weighted = powers * np.exp(-0.5 * offsets**2)[:, None]
    at_zero = np.linalg.solve(weighted.T @ powers, weighted.T)[0]  # the fit's value at this frame
    return Pose(pose.frame, pose.state, np.tensordot(at_zero, points, axes=1))
