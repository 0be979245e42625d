"""What the pictures of single videos are made of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from conftest import WriteVideo
from depression_vr.data.clips import Window
from depression_vr.data.frames import FrameFolder
from depression_vr.data.manifest import Manifest
from depression_vr.errors import UserError
from depression_vr.explaining.attributions import Attribution
from depression_vr.explaining.choosing import named_videos, spread_over_scores
from depression_vr.explaining.frame_times import frame_times
from depression_vr.explaining.pictures.heat import Heat, enlarged, heat
from depression_vr.explaining.timeline import timeline
from depression_vr.faces.output import QUALITY


def corpus(labels: list[float]) -> Manifest:
    table = pd.DataFrame({"video_id": [f"{number}_1" for number in range(len(labels))], "label": labels})
    return Manifest("made", table, 63.0, ())


def attribution(method: str, values: list[float]) -> Attribution:
    importance = np.array(values, np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    pixels = np.zeros((len(values), 2, 2, 3), np.uint8)
    return Attribution(method, importance, pixels, None)


def test_videos_are_spread_over_the_scores_of_their_partition() -> None:
    manifest = corpus([30, 2, 50, 10, 20, 40])
    rows = np.array([0, 1, 3, 4, 5])
    assert spread_over_scores(manifest, rows, 3) == [1, 4, 5]
    assert spread_over_scores(manifest, rows, 9) == [1, 3, 4, 0, 5]
    assert spread_over_scores(manifest, rows, 0) == []


def test_all_ids_that_are_unknown_are_told_with_those_like_them() -> None:
    manifest = corpus([1, 2, 3])
    assert named_videos(manifest, ["2_1", "0_1", "2_1"]) == [2, 0]
    with pytest.raises(UserError) as refusal:
        named_videos(manifest, ["2_1", "22_1", "x"])
    assert [problem.what.partition(";")[0] for problem in refusal.value.problems] == ["'22_1'", "'x'"]
    assert "2_1" in refusal.value.problems[0].what


def test_a_frame_of_several_windows_has_their_mean_and_gaps_are_seen() -> None:
    windows = [Window(0, 0, np.array([0, 0, 3, 6])), Window(0, 1, np.array([6, 9, 30, 33]))]
    found = timeline(
        windows, [attribution("attention", [1, 3, 5, 7]), attribution("attention", [9, 2, 4, 6])]
    )
    assert found.frames.tolist() == [0, 3, 6, 9, 30, 33]
    assert found.curves()["importance"].tolist() == [2, 5, 8, 2, 4, 6]
    assert found.breaks().tolist() == [4]


def test_shares_of_a_frame_that_a_window_shows_twice_add_up() -> None:
    windows = [Window(0, 0, np.array([0, 1, 0])), Window(0, 1, np.array([0, 1, 1]))]
    values = [[1, 2, 4], [3, 8, 5]]
    shares = timeline(windows, [attribution("integrated_gradients", each) for each in values])
    levels = timeline(windows, [attribution("grad_cam", each) for each in values])
    raised = "raises the estimate"
    assert shares.curves()[raised].tolist() == [4 * (5 + 3) / 2, 4 * (2 + 13) / 2]  # of four pixels
    np.testing.assert_allclose(levels.curves()[raised], [8 / 3, 5])


def test_what_raises_and_what_lowers_the_estimate_are_told_apart() -> None:
    window = Window(0, 0, np.array([0, 1]))
    levels = timeline([window], [attribution("grad_cam", [2, -1])]).curves()
    shares = timeline([window], [attribution("integrated_gradients", [2, -1])]).curves()
    assert {name: curve.tolist() for name, curve in levels.items()} == {
        "raises the estimate": [2, 0],
        "lowers the estimate": [0, -1],
    }
    assert {name: curve.tolist() for name, curve in shares.items()} == {
        "raises the estimate": [8, 0],  # the sum of four pixels
        "lowers the estimate": [0, -4],
    }


def test_times_come_from_preprocessing_or_a_constant_rate_or_are_not_known(
    tmp_path: Path, write_video: WriteVideo
) -> None:
    folder = FrameFolder.listed(write_video(tmp_path / "video", 4))
    assert frame_times(folder, OmegaConf.create({"data": {}})) is None
    rate = OmegaConf.create({"data": {"frame_rate": 10}})
    times = frame_times(folder, rate)
    assert times is not None and times.tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    quality = pd.DataFrame({"frame": range(5), "time": [0.0, 0.04, 0.09, 0.12, 0.5]})
    quality.to_parquet(folder.path / QUALITY)
    (folder.path / folder.name(1)).unlink()  # a frame without a face
    times = frame_times(FrameFolder.listed(folder.path), rate)
    assert times is not None and times.tolist() == [0.0, 0.09, 0.12]


def test_the_most_important_place_has_most_of_the_colour() -> None:
    importance = np.linspace(-1, 1, 201, dtype=np.float32)[None, None].repeat(2, axis=1)
    grey = np.full((2, 201, 3), 128, np.uint8)
    signed = heat("grad_cam", importance)
    assert signed.low == -signed.high
    coloured = signed.over(grey, importance[0]).astype(int)
    assert np.abs(coloured[0, 100] - 128).max() <= 2  # 0 in the middle
    assert coloured[0, -1, 0] > coloured[0, -1, 2] + 50  # red raises
    assert coloured[0, 0, 2] > coloured[0, 0, 0] + 50  # blue lowers
    flat = heat("attention", np.zeros((1, 2, 2), np.float32))
    assert np.array_equal(flat.over(grey[:, :2], np.zeros((2, 2), np.float32)), grey[:, :2])
    assert Heat(0.0, 1.0, signed=False).over(grey[:, :2], np.full((2, 2), 5.0)).max() > 128


@pytest.mark.parametrize(("size", "large"), [((20, 24), (200, 240)), ((225, 301), (224, 300))])
def test_frames_of_films_are_large_enough_and_even(size: tuple[int, int], large: tuple[int, int]) -> None:
    assert enlarged(np.zeros((*size, 3), np.uint8), 192).shape[:2] == large
