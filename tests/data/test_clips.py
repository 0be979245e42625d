"""Clip starts and windows follow the published code, without reading a pixel."""

import math

import numpy as np
import pytest

from depression_vr.data.clips import (
    ClipShape,
    WindowIndex,
    WindowPlace,
    clip_frames,
    evaluation_windows,
    training_start,
)

LENGTH = 8


def shape(step: int = 1, length: int = LENGTH) -> ClipShape:
    return ClipShape(length, step)


def places(index: WindowIndex) -> WindowPlace[np.ndarray]:
    return index.at(np.arange(len(index)))


def released_starts(n: int, length: int) -> list[int]:
    """The published formula as it is written, in floating point."""
    windows = math.ceil(n / length)
    return [int(i * (length - (windows * length - n) / (windows - 1))) for i in range(windows)]


@pytest.mark.parametrize("length", [8, 16, 64])
def test_window_starts_are_the_published_ones(length: int) -> None:
    for n in [*range(length + 1, 6 * length), 999, 4097, 90_000]:
        index = evaluation_windows(np.array([0]), np.array([n]), shape(length=length))
        assert places(index).start.tolist() == released_starts(n, length)


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 15, 16, 17, 100])
@pytest.mark.parametrize("step", [1, 3])
def test_windows_cover_every_kept_frame(frames: int, step: int) -> None:
    index = evaluation_windows(np.array([5]), np.array([frames]), shape(step))
    seen = {int(f) for start in places(index).start for f in clip_frames(frames, int(start), shape(step))}
    assert seen == set(range(0, frames, step))


def test_windows_of_several_videos_are_numbered_per_video() -> None:
    index = evaluation_windows(np.array([4, 2, 9]), np.array([8, 20, 3]), shape())
    assert places(index).video.tolist() == [4, 2, 2, 2, 9]
    assert places(index).window.tolist() == [0, 0, 1, 2, 0]
    assert places(index).start.tolist() == [0, 0, 6, 12, 0]
    assert [index.at(place) for place in range(len(index))] == list(zip(*places(index), strict=True))


def test_a_partition_without_videos_has_no_windows() -> None:
    index = evaluation_windows(np.array([], int), np.array([], int), shape())
    assert len(index) == 0
    with pytest.raises(IndexError):
        index.at(0)


def test_there_is_no_window_in_front_of_the_first_or_behind_the_last() -> None:
    index = evaluation_windows(np.array([4, 2]), np.array([8, 20]), shape())
    for place in (-1, len(index), np.array([0, len(index)])):
        with pytest.raises(IndexError):
            index.at(place)


def test_the_index_of_a_million_long_videos_is_small() -> None:
    frames = np.full(1_000_000, 90_000)
    index = evaluation_windows(np.arange(len(frames)), frames, shape(step=3, length=64))
    assert len(index) == 469 * len(frames)
    assert index.videos.nbytes + index.spare.nbytes + index.ends.nbytes <= 24 * len(frames)
    assert index.at(len(index) - 1) == (len(frames) - 1, 468, 30_000 - 64)


@pytest.mark.parametrize(
    ("frames", "step", "expected"),
    [
        (3, 1, [0, 0, 0, 1, 1, 1, 2, 2]),
        (8, 1, [0, 1, 2, 3, 4, 5, 6, 7]),
        (10, 3, [0, 0, 3, 3, 6, 6, 9, 9]),
        (1, 3, [0] * 8),
    ],
)
def test_a_short_video_is_stretched(frames: int, step: int, expected: list[int]) -> None:
    assert clip_frames(frames, 0, shape(step)).tolist() == expected


def test_training_starts_reach_the_last_window_and_no_further() -> None:
    generator = np.random.default_rng(0)
    starts = {training_start(31, shape(3), generator) for _ in range(200)}
    assert starts == {0, 1, 2, 3}  # 11 kept frames
    assert clip_frames(31, 3, shape(3)).tolist() == [9, 12, 15, 18, 21, 24, 27, 30]
