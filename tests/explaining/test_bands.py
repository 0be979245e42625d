"""Means per severity band of what was found of each video."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from depression_vr.explaining.partition.averages import averages
from depression_vr.explaining.partition.bands import bands, region_table
from depression_vr.explaining.partition.looking import LookedVideo
from depression_vr.explaining.partition.store import LookedVideos
from depression_vr.faces.aligning.template_regions import REGIONS

LABELS = [3, 13, 14, 30, 40, 63]
AREAS = np.array([0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2])


@pytest.fixture
def videos() -> pd.DataFrame:
    return pd.DataFrame({"label": LABELS, "subject": list("abcdef")}, index=[2, 3, 5, 7, 8, 9])


@pytest.fixture
def looked(tmp_path: Path, videos: pd.DataFrame) -> LookedVideos:
    """Of each video a face, a map and a share that are its label."""
    kept = LookedVideos(tmp_path / "videos", {"seed": 0})
    for row, label in videos["label"].items():
        shares = np.array([[label / 100, 1 - label / 100, *[0] * (len(REGIONS) - 2)]])
        kept.keep(row, LookedVideo(np.full((4, 4, 3), label), np.full((1, 4, 4), label), shares, 0, None))
    return kept


def test_a_band_is_the_mean_of_its_videos(videos: pd.DataFrame, looked: LookedVideos) -> None:
    found = bands(videos, looked, 63.0, resamples=99)
    expected = {"all": np.mean(LABELS), "minimal": 8, "mild": 14, "severe": np.mean([30, 40, 63])}
    assert {band.name: band.videos for band in found} == {"all": 6, "minimal": 2, "mild": 1, "severe": 3}
    for band in found:
        np.testing.assert_allclose(band.face, expected[band.name])
        np.testing.assert_allclose(band.maps, expected[band.name])
        assert band.shares.mean[0, 0] == pytest.approx(expected[band.name] / 100)


def test_another_scale_has_no_bands(videos: pd.DataFrame, looked: LookedVideos) -> None:
    assert [band.name for band in bands(videos, looked, 64.0, resamples=99)] == ["all"]


def test_density_is_share_by_area(videos: pd.DataFrame, looked: LookedVideos) -> None:
    table = region_table(bands(videos, looked, 63.0, resamples=99), ["made"], AREAS)
    assert len(table) == 4 * len(REGIONS)
    np.testing.assert_allclose(table["density"] * table["area"], table["share"])
    eyes = table[table["region"] == "eyes"].set_index("band")
    share = np.mean(LABELS) / 100
    assert eyes.loc["all", "share_low"] < share < eyes.loc["all", "share_high"]
    np.testing.assert_allclose(eyes.loc["all", "density_low"], eyes.loc["all", "share_low"] / 0.1)
    assert np.isnan(eyes.loc["severe", "share_low"])  # three subjects


def test_intervals_are_over_subjects_not_videos() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=8), 10)[:, None]
    alone = averages(values, pd.Series(range(80)), resamples=499)
    together = averages(values, pd.Series(np.repeat(np.arange(8), 10)), resamples=499)
    assert alone.mean == together.mean == pytest.approx(values.mean())
    assert (together.high - together.low) > 2 * (alone.high - alone.low)


def test_what_was_found_with_other_settings_does_not_count(
    tmp_path: Path, videos: pd.DataFrame, looked: LookedVideos
) -> None:
    assert all(looked.has(row, checked=False) for row in videos.index)
    assert not looked.has(2, checked=True)
    assert not LookedVideos(tmp_path / "videos", {"seed": 1}).has(2, checked=False)
    looked.path(2).write_bytes(looked.path(2).read_bytes()[:200])
    assert not looked.has(2, checked=False)
