"""What a quality table sums up to: every figure is of the frames that it says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depression_vr.faces.aligning.alignment import Similarity
from depression_vr.faces.aligning.measures import HeadPose
from depression_vr.faces.aligning.quality_summary import quality_summary
from depression_vr.faces.aligning.quality_table import Aligned, QualityTable
from depression_vr.faces.aligning.smoothing import Pose, State
from depression_vr.faces.tracking.track_table import FrameFaces, Sighting

STATES: dict[str, State] = {"d": "detected", "t": "tracked", "i": "interpolated", "l": "lost"}


def summary_of(path: Path, states: str, times: Sequence[float] | None = None) -> dict[str, Any]:
    """Of frames 1 s apart, or at these times; frame k has the sharpness k and a face 10 + k pixels wide."""
    with QualityTable(path) as table:
        for k, state in enumerate(states):
            landmarks = np.linspace((0, 0), (10 + k, 20), 68)
            sightings = (Sighting(0, state == "d", k / 8, 0.5, np.zeros(4), landmarks),) * (state in "dt")
            frame = FrameFaces(k + 1, k + 1, k if times is None else times[k], 1 + (k == 0), sightings)
            if state == "l":
                table.add(Pose(frame, "lost", None), None)
            else:
                aligned = Aligned(Similarity(1, 0, 0, 0), HeadPose(1, 2, 3), k, 120)
                table.add(Pose(frame, STATES[state], landmarks), aligned)
    return quality_summary(path)


def test_each_mean_is_over_its_own_frames(tmp_path: Path) -> None:
    summary = summary_of(tmp_path / "quality.parquet", "ddtil")
    counted = {"frames": 5, "frames_written": 4, "detected": 2, "tracked": 1, "interpolated": 1, "lost": 1}
    assert counted.items() <= summary.items()
    measured = {
        "seen_rate": 3 / 5,
        "written_rate": 4 / 5,
        "several_faces_rate": 1 / 5,
        "sharpness_mean": 1.5,  # of 0, 1, 2, 3
        "sharpness_std": 1.25**0.5,
        "yaw_std": 0,
        "face_width_mean": 11.5,
        "score_mean": 1 / 16,  # of the detected frames 0 and 1/8
        "confidence_mean": 0.5,
    }
    assert {name: summary[name] for name in measured} == pytest.approx(measured)
    assert summary["most_faces"] == 2


@pytest.mark.parametrize(
    ("states", "frames", "seconds"),
    [
        ("dtdt", 0, 0),
        ("dlld", 2, 3),
        ("lidt", 2, 2),  # from the first frame on
        ("dtlil", 3, 3),  # to the last frame
        ("dldlild", 3, 4),
        ("llll", 4, 3),
    ],
)
def test_a_gap_lasts_from_face_to_face(tmp_path: Path, states: str, frames: int, seconds: float) -> None:
    summary = summary_of(tmp_path / "quality.parquet", states)
    assert (summary["longest_gap_frames"], summary["longest_gap_seconds"]) == (frames, seconds)


def test_the_gap_with_the_most_frames_may_not_be_the_longest_in_seconds(tmp_path: Path) -> None:
    summary = summary_of(tmp_path / "quality.parquet", "dlldld", times=[0, 0.1, 0.2, 0.3, 2, 5])
    assert (summary["longest_gap_frames"], summary["longest_gap_seconds"]) == (2, 4.7)


def test_without_any_face_all_means_are_0(tmp_path: Path) -> None:
    summary = summary_of(tmp_path / "quality.parquet", "lll")
    names = ("seen_rate", "sharpness_mean", "roll_std", "face_width_mean", "score_mean", "confidence_mean")
    assert [summary[name] for name in names] == [0] * len(names)
