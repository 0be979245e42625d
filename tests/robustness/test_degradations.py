"""Every degradation on small clips: what it changes, and on what it depends."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2.functional import gaussian_blur

from depression_vr.degradation.base import DegradedVideo
from depression_vr.errors import UserError
from depression_vr.faces.aligning.template import TEMPLATE
from depression_vr.faces.aligning.template_regions import REGIONS, region_masks
from depression_vr.robustness_study.conditions import CLEAN, DEGRADATIONS, Condition, conditions_of

MILD_AND_BAD = {
    "noise": (2, 64), "blur": (3, 15), "brightness": (0.9, 0.4), "jpeg": (95, 10), "eyes": (0.5, 1.5),
    "mouth": (0.5, 1.5), "frame_rate": (2, 8), "dropped_frames": (0.2, 0.8), "shift": (0.02, 0.2),
    "rotation": (1, 20), "scale": (1.05, 1.5),
}  # fmt: skip
VIDEO = DegradedVideo("203_1_Freeform", frames=40, step=1, seed=0)


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """40 frames of 32x40 pixels of a pattern that moves and changes slowly, ``(40, 32, 40, 3)``, uint8."""
    time, rows, columns = np.ogrid[:40, :32, :40]
    waves = [np.sin(rows / 4 + time / 9 + shift) + np.cos(columns / 5 - time / 7) for shift in range(3)]
    return np.rint(np.stack(waves, axis=-1) * 60 + 128).astype(np.uint8)


def apply(
    film: np.ndarray, name: str, level: float, frames: np.ndarray, video: DegradedVideo = VIDEO
) -> np.ndarray:
    """What a clip of these frames of the film looks like."""
    degradation = Condition(name, level).made(TEMPLATE)
    assert degradation is not None
    shown = degradation.shown(frames, video)
    return degradation.degraded(film[shown], shown, video)


def test_every_degradation_is_tried_here() -> None:
    assert [*MILD_AND_BAD] == [*DEGRADATIONS]


@pytest.mark.parametrize("name", MILD_AND_BAD)
def test_a_worse_level_changes_a_clip_more(film: np.ndarray, name: str) -> None:
    frames = np.arange(16)
    before = film[frames].astype(float)
    mild, bad = (apply(film, name, level, frames).astype(float) for level in MILD_AND_BAD[name])
    assert mild.shape == bad.shape == before.shape
    assert 0 < np.abs(mild - before).mean() < np.abs(bad - before).mean()


@pytest.mark.parametrize("name", MILD_AND_BAD)
def test_a_frame_is_degraded_alike_in_every_window_and_the_original_stays(
    film: np.ndarray, name: str
) -> None:
    level, original = MILD_AND_BAD[name][1], film.copy()
    whole = apply(film, name, level, np.arange(40))
    overlapping = apply(film, name, level, np.arange(24, 40))
    stretched = apply(film, name, level, np.array([7, 7, 7, 8]))
    np.testing.assert_array_equal(overlapping, whole[24:])
    np.testing.assert_array_equal(stretched, whole[[7, 7, 7, 8]])
    np.testing.assert_array_equal(film, original)


@pytest.mark.parametrize("name", ["noise", "dropped_frames", "shift", "rotation"])
def test_chance_depends_on_seed_and_video(film: np.ndarray, name: str) -> None:
    level, frames = MILD_AND_BAD[name][1], np.arange(40)
    others = [DegradedVideo(f"video {number}", 40, 1, 0) for number in range(6)]
    others += [DegradedVideo(VIDEO.video_id, 40, 1, seed) for seed in range(1, 7)]
    first = apply(film, name, level, frames)
    differ = [not np.array_equal(apply(film, name, level, frames, other), first) for other in others]
    assert any(differ[:6]) and any(differ[6:])


def test_noise_has_the_deviation_it_says_and_is_new_in_every_frame() -> None:
    grey = np.full((20, 32, 40, 3), 128, np.uint8)
    noise = apply(grey, "noise", 8, np.arange(20)).astype(float) - 128
    assert noise.std() == pytest.approx(8, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1] == pytest.approx(0, abs=0.05)


def test_noise_at_two_levels_is_the_same_noise() -> None:
    grey = np.full((1, 32, 40, 3), 128, np.uint8)
    low, high = (apply(grey, "noise", level, np.arange(1)).astype(float) - 128 for level in (8, 16))
    np.testing.assert_allclose(high, 2 * low, atol=2)


def test_noise_is_clipped_not_wrapped() -> None:
    black = np.zeros((1, 32, 40, 3), np.uint8)
    noisy = apply(black, "noise", 4, np.arange(1))
    assert 0.4 < (noisy == 0).mean() < 0.6
    assert noisy.max() < 40


def test_blur_is_that_of_torchvision() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, 32, 40, 3), np.uint8)
    expected = gaussian_blur(torch.from_numpy(frame).permute(0, 3, 1, 2), [15, 15])
    blurred = apply(frame, "blur", 15, np.arange(1))
    assert np.abs(blurred.astype(int) - expected.permute(0, 2, 3, 1).numpy()).max() <= 1


def test_brightness_is_clipped() -> None:
    frame = np.full((1, 8, 8, 3), 200, np.uint8)
    assert (apply(frame, "brightness", 2, np.arange(1)) == 255).all()
    assert (apply(frame, "brightness", 0.25, np.arange(1)) == 50).all()


@pytest.mark.parametrize("name", ["eyes", "mouth"])
def test_a_patch_of_level_1_covers_its_region_and_nothing_else(film: np.ndarray, name: str) -> None:
    region = region_masks((32, 40))[REGIONS.index(name)]
    is_changed = (apply(film, name, 1, np.arange(4)) != film[:4]).any(axis=(0, -1))
    assert is_changed[region == 1].all()
    assert not is_changed[region == 0].mean() > 0.05  # at the region's edge
    patch = apply(film, name, 1, np.arange(1))[0][region == 1]
    np.testing.assert_array_equal(patch, np.broadcast_to(np.rint(film[0].mean(axis=(0, 1))), patch.shape))


def test_a_face_elsewhere_is_covered_there(film: np.ndarray) -> None:
    moved = Condition("mouth", 1).made(TEMPLATE + np.array([0, 0.2]))
    assert moved is not None
    is_changed = (moved.degraded(film[:1], np.arange(1), VIDEO) != film[:1]).any(axis=(0, -1))
    here = (apply(film, "mouth", 1, np.arange(1)) != film[:1]).any(axis=(0, -1))
    assert np.nonzero(is_changed)[0].mean() == pytest.approx(np.nonzero(here)[0].mean() + 0.2 * 32, abs=1.5)


def test_a_lower_frame_rate_counts_frames_that_clips_keep_from_the_start_of_the_video() -> None:
    slow = Condition("frame_rate", 2).made(TEMPLATE)
    assert slow is not None
    video = DegradedVideo("video", frames=40, step=3, seed=0)
    shown = slow.shown(np.array([9, 12, 15, 18, 21]), video)
    np.testing.assert_array_equal(shown, [6, 12, 12, 18, 18])


def test_a_dropped_frame_shows_the_last_one_before_that_is_there() -> None:
    video = DegradedVideo("video", frames=3000, step=3, seed=0)
    frames = np.arange(0, 3000, 3)
    few, many = (
        degradation.shown(frames, video)
        for degradation in (Condition("dropped_frames", level).made(TEMPLATE) for level in (0.3, 0.7))
        if degradation is not None
    )
    assert few[0] == 0
    assert (few != frames).mean() == pytest.approx(0.3, abs=0.05)
    assert (many != frames).mean() == pytest.approx(0.7, abs=0.05)
    assert (many[few != frames] != frames[few != frames]).all()  # what is missing stays missing
    is_there = few == frames
    np.testing.assert_array_equal(few, np.maximum.accumulate(np.where(is_there, frames, 0)))


@pytest.mark.parametrize(("name", "level"), [("shift", 0.25), ("rotation", 30), ("scale", 0.5)])
def test_a_misaligned_crop_moves_what_is_in_it(name: str, level: float) -> None:
    size = 64
    frame = np.full((1, size, size, 3), 50, np.uint8)
    frame[:, 28:36, 44:52] = 250  # a quarter of the side right of the middle
    moved = apply(frame, name, level, np.arange(1))[0, ..., 0].astype(float) - 50
    rows, columns = np.indices((size, size))
    place = np.array([(rows * moved).sum(), (columns * moved).sum()]) / moved.sum() - (size - 1) / 2
    distance = np.hypot(*(place - [0, 16]))
    expected = {"shift": 16, "rotation": 2 * 16 * np.sin(np.radians(15)), "scale": 8}[name]
    assert distance == pytest.approx(expected, abs=0.3)


def test_conditions_begin_with_clean_frames_and_get_worse() -> None:
    levels = {"noise": [64, 1, 8, 8.0], "jpeg": [10, 90], "blur": [3]}
    conditions = conditions_of(["jpeg", "noise"], levels)
    assert conditions == [
        (CLEAN, None), ("noise", 1), ("noise", 8), ("noise", 64), ("jpeg", 90), ("jpeg", 10)
    ]  # fmt: skip
    assert len({condition.file for condition in conditions}) == len(conditions)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("noise", 0), ("noise", -1), ("noise", float("nan")), ("noise", float("inf")), ("blur", 4),
        ("blur", 1), ("brightness", 1), ("brightness", 0), ("jpeg", 0), ("jpeg", 101), ("jpeg", 50.5),
        ("eyes", 0), ("frame_rate", 1), ("frame_rate", 2.5), ("dropped_frames", 1), ("shift", 1),
        ("rotation", 181), ("scale", 1), ("scale", -1), ("scale", 0.01), ("scale", 21), ("noise", 1e5),
        ("blur", 1001), ("brightness", 256), ("mouth", 1e12), ("eyes", 11), ("frame_rate", 1e20),
    ],
)  # fmt: skip
def test_a_level_that_is_none_or_changes_nothing_is_refused(name: str, level: float) -> None:
    with pytest.raises(UserError, match=rf"levels\.{name}.*has no level") as refused:
        conditions_of([name], {name: [level]})
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize("names", [["fog"], []])
def test_an_unknown_degradation_is_refused_with_those_there_are(names: list[str]) -> None:
    with pytest.raises(UserError, match="choose from noise, blur"):
        conditions_of(names, {})


def test_levels_that_differ_in_the_last_digit_have_files_of_their_own() -> None:
    levels = [0.1, 0.1 + 1e-12, 8.0, 8.0 + 1e-12]
    files = [condition.file for condition in conditions_of(["noise"], {"noise": levels})]
    assert len({*files}) == len(files)
    assert files[1] == "noise_0.1.csv"
    assert files[3] == "noise_8.csv"


@pytest.mark.parametrize(
    ("name", "level"),
    [("noise", 1e4), ("blur", 999), ("brightness", 255), ("mouth", 10), ("scale", 0.05), ("scale", 20)],
)
def test_the_most_extreme_level_leaves_pixels(film: np.ndarray, name: str, level: float) -> None:
    with np.errstate(all="raise"):
        extreme = apply(film, name, level, np.arange(2))
    assert extreme.shape == film[:2].shape
    assert extreme.dtype == np.uint8
    assert (extreme != film[:2]).mean() > 0.5


def test_no_level_at_all_is_refused() -> None:
    with pytest.raises(UserError, match=r"levels\.blur: is empty"):
        conditions_of(["blur"], {"blur": []})
