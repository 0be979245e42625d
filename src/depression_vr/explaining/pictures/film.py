"""Frames and their heat map as a video."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from depression_vr.data.film import write_mp4
from depression_vr.explaining.pictures.heat import enlarged, heat, shown
from depression_vr.explaining.pictures.time_axis import TimeAxis
from depression_vr.explaining.timeline import Timeline

_SIDE = 192
_BAND = 24
_RATE_WITHOUT_TIMES = 10.0
_SLOWEST, _FASTEST = 1.0, 60.0


def write_overlay(path: Path, timeline: Timeline, axis: TimeAxis) -> None:
    """Write an MP4 of the explained frames: the frame, and beside it the frame under its heat map.

    It runs at the rate of the frames; where windows were left out, it jumps.
    """
    times = axis.at(timeline.frames)
    step = float(np.median(np.diff(times))) if axis.times is not None and len(times) > 1 else 0.0
    rate = 1 / step if step > 0 else _RATE_WITHOUT_TIMES
    write_mp4(path, _frames(timeline, axis), float(np.clip(rate, _SLOWEST, _FASTEST)))


def _frames(timeline: Timeline, axis: TimeAxis) -> Iterator[np.ndarray]:
    importance = shown(timeline)
    colours = heat(timeline.method, importance)
    for number, pixels, important in zip(timeline.frames, timeline.pixels, importance, strict=True):
        both = np.concatenate(
            [enlarged(part, _SIDE) for part in (pixels, colours.over(pixels, important))], axis=1
        )
        band = np.zeros((_BAND, both.shape[1], 3), np.uint8)
        cv2.putText(
            band, axis.caption(int(number)), (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1,
            cv2.LINE_AA,
        )  # fmt: skip
        yield np.concatenate([both, band])
