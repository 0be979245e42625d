"""Short gaps are bridged, long ones stay; trembling goes, movement stays."""

from collections.abc import Sequence

import numpy as np
import pytest

from depression_vr.faces.aligning.smoothing import Pose, bridge, smooth
from depression_vr.faces.tracking.track_table import FrameFaces, Sighting

RATE = 30


def frames(points: Sequence[float | None], times: Sequence[float] | None = None) -> list[FrameFaces]:
    """Frames in which all landmarks are at one place; None where there is no face."""
    times = [number / RATE for number in range(len(points))] if times is None else times
    return [
        FrameFaces(number, number, time, 0 if point is None else 1, () if point is None else (at(point),))
        for number, (point, time) in enumerate(zip(points, times, strict=True), start=1)
    ]


def at(point: float) -> Sighting:
    return Sighting(0, True, 1.0, 1.0, np.zeros(4), np.full((68, 2), float(point)))


def places(poses: Sequence[Pose]) -> list[float]:
    return [np.nan if pose.landmarks is None else float(pose.landmarks[0, 0]) for pose in poses]


def test_a_gap_up_to_the_limit_is_bridged_by_a_straight_line() -> None:
    found = list(bridge(frames([0, 2, None, None, None, 10]), limit=4.01 / RATE))
    assert places(found) == pytest.approx([0, 2, 4, 6, 8, 10])
    assert [pose.state for pose in found] == ["detected"] * 2 + ["interpolated"] * 3 + ["detected"]


def test_a_longer_gap_and_the_ends_are_lost() -> None:
    found = list(bridge(frames([None, 0, None, None, None, 10, None]), limit=3.9 / RATE))
    assert [pose.state for pose in found] == ["lost", "detected", *["lost"] * 3, "detected", "lost"]
    assert [pose.frame.number for pose in found] == [1, 2, 3, 4, 5, 6, 7]


def test_gaps_are_measured_in_time_and_not_in_frames() -> None:
    uneven = frames([0, None, 10], times=[0, 0.1, 2.0])
    assert [pose.state for pose in bridge(uneven, limit=1)] == ["detected", "lost", "detected"]
    assert places(list(bridge(uneven, limit=2)))[1] == pytest.approx(0.5)


def test_without_a_limit_no_gap_is_bridged() -> None:
    assert [pose.state for pose in bridge(frames([0, None, 10]), limit=0)] == ["detected", "lost", "detected"]


def test_trembling_is_smoothed_away() -> None:
    trembling = np.random.default_rng(0).normal(size=400)
    smoothed = places(list(smooth(bridge(frames(list(trembling)), 0), deviation=0.1)))
    assert np.std(smoothed[20:-20]) < 0.45


@pytest.mark.parametrize("times", [np.arange(60) / RATE, np.cumsum(np.linspace(0.02, 0.06, 60))])
def test_movement_of_even_acceleration_stays_as_it_is_also_at_uneven_times(times: np.ndarray) -> None:
    moving = 3 + 40 * times - 25 * times**2
    smoothed = places(list(smooth(bridge(frames(list(moving), list(times)), 0), deviation=0.1)))
    assert smoothed == pytest.approx(moving, abs=1e-9)


def test_frames_on_both_sides_of_a_lost_one_do_not_mix() -> None:
    jumping = [*[0.0] * 20, None, *[100.0] * 20]
    smoothed = places(list(smooth(bridge(frames(jumping), 0), deviation=0.1)))
    assert smoothed[:20] == pytest.approx([0] * 20, abs=1e-9)
    assert smoothed[21:] == pytest.approx([100] * 20, abs=1e-9)


def test_smoothing_can_be_off() -> None:
    poses = list(bridge(frames([0, 5, 1]), 0))
    assert list(smooth(poses, deviation=0)) == poses


def test_a_single_frame_stays_where_it_is() -> None:
    assert places(list(smooth(bridge(frames([None, 7, None]), 0), deviation=0.1)))[1] == 7


def test_time_that_stands_still_over_a_gap_is_bridged() -> None:
    still = frames([1, None, 3], times=[0.5, 0.5, 0.5])
    assert [pose.state for pose in bridge(still, limit=1)] == ["detected", "interpolated", "detected"]
    assert len(list(smooth(bridge(still, limit=1), deviation=0.1))) == 3


def test_the_order_and_number_of_frames_stay() -> None:
    mixed = [None, 1, 2, None, 3, *[None] * 40, 4, 5, None]
    found = list(smooth(bridge(frames(mixed), limit=0.2), deviation=0.1))
    assert [pose.frame.number for pose in found] == list(range(1, len(mixed) + 1))
