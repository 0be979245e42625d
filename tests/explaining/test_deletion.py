"""Deletion and insertion on networks of which it is known what they look at."""

from collections.abc import Iterable

import numpy as np
import pytest

from depression_vr.explaining.sanity.blocks import Blocks, by_importance, displaced
from depression_vr.explaining.sanity.checking import RANDOM, ClipChecks, order_names
from depression_vr.explaining.sanity.deletion import FRACTIONS, area, changes, curves, nothing_to_see
from depression_vr.explaining.sanity.motion import motion

CLIP = (6, 24, 24)
CORNER = (slice(None), slice(0, 8), slice(0, 8))


def brightness_of_the_corner(clips: Iterable[np.ndarray]) -> np.ndarray:
    return np.array([clip[CORNER].mean(dtype=float) for clip in clips])


@pytest.fixture
def pixels() -> np.ndarray:
    """Grey noise with a bright corner."""
    clip = np.random.default_rng(0).integers(60, 100, (*CLIP, 3), np.uint8)
    clip[CORNER] = 250
    return clip


@pytest.fixture
def blocks() -> Blocks:
    return Blocks.fitting(CLIP, (3, 6, 6))


@pytest.fixture
def right() -> np.ndarray:
    """Importance of what the score is computed from."""
    importance = np.zeros(CLIP)
    importance[CORNER] = 1
    return importance


@pytest.mark.parametrize("most", [(3, 6, 6), (4, 5, 7), (50, 50, 50), (1, 1, 1)])
def test_blocks_cover_every_pixel_once(most: tuple[int, int, int]) -> None:
    blocks = Blocks.fitting(CLIP, most)
    one_each = np.stack([blocks.pixels(np.arange(len(blocks)) == number) for number in range(len(blocks))])
    assert (one_each.sum(axis=0) == 1).all()
    importance = np.random.default_rng(0).random(CLIP)
    expected = [importance[pixels].mean() for pixels in one_each]
    np.testing.assert_allclose(blocks.means(importance), expected)


def test_the_right_map_moves_the_score_first_and_brings_it_back_first(
    pixels: np.ndarray, blocks: Blocks, right: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    means = blocks.means(right)
    orders = [by_importance(means, rng), by_importance(-means, rng), rng.permutation(len(blocks))]
    deletion, insertion = curves(brightness_of_the_corner, pixels, blocks, np.stack(orders))
    whole, empty = brightness_of_the_corner([pixels, nothing_to_see(pixels)])
    assert deletion.shape == insertion.shape == (3, len(FRACTIONS))
    np.testing.assert_allclose(deletion[:, -1], abs(whole - empty))
    np.testing.assert_array_equal(deletion[:, -1], insertion[:, 0])
    assert not deletion[:, 0].any() and not insertion[:, -1].any()
    first_ninth = FRACTIONS >= 0.2  # the corner is a ninth of the frame
    np.testing.assert_allclose(deletion[0, first_ninth], abs(whole - empty))
    np.testing.assert_allclose(insertion[0, first_ninth], 0)
    assert not deletion[1, FRACTIONS <= 0.8].any()
    assert area(deletion)[0] > area(deletion)[2] > area(deletion)[1]
    assert area(insertion)[0] < area(insertion)[2] < area(insertion)[1]


def test_equally_important_blocks_come_in_a_random_order() -> None:
    even = np.ones(100)
    orders = [by_importance(even, np.random.default_rng(seed)) for seed in (0, 1)]
    assert (orders[0] != orders[1]).any()
    assert all(sorted(order) == [*range(100)] for order in orders)


def test_a_displaced_map_has_the_same_values_elsewhere(blocks: Blocks, right: np.ndarray) -> None:
    means = blocks.means(right)
    moved = [displaced(means, blocks.grid, np.random.default_rng(seed)) for seed in range(5)]
    assert all(sorted(each) == sorted(means) for each in moved)
    assert any((each != means).any() for each in moved)


def test_a_displaced_map_is_never_where_it_was() -> None:
    rng, means = np.random.default_rng(0), np.arange(4.0)
    assert all((displaced(means, (1, 2, 2), rng) != means).any() for _ in range(40))
    assert displaced(means[:1], (1, 1, 1), rng).tolist() == [0]  # which has no other place


def test_only_the_region_that_counts_moves_the_score(pixels: np.ndarray, right: np.ndarray) -> None:
    corner = right[0]
    found = changes(brightness_of_the_corner, pixels, np.stack([corner, 1 - corner]))
    whole, empty = brightness_of_the_corner([pixels, nothing_to_see(pixels)])
    np.testing.assert_allclose(found, [empty - whole, 0, 0])  # nothing moves in the corner


def test_what_replaces_pixels_stands_still_and_has_the_mean_colour(pixels: np.ndarray) -> None:
    blank = nothing_to_see(pixels)
    assert (blank == blank[0]).all()
    assert abs(blank.mean() - pixels.mean()) < 3
    assert np.ptp(blank[0], axis=(0, 1)).max() < np.ptp(pixels[0], axis=(0, 1)).min()


def test_motion_is_where_pixels_change() -> None:
    clip = np.full((4, 8, 8, 3), 100, np.uint8)
    clip[2, 3, 5] = (130, 100, 100)
    found = motion(clip)
    assert found.shape == (4, 8, 8)
    assert found[2, 3, 5] == found[3, 3, 5] == pytest.approx(10)
    assert found.sum() == pytest.approx(20)
    assert not motion(clip[:1]).any()


def test_checks_tell_a_right_map_from_a_wrong_one(pixels: np.ndarray, right: np.ndarray) -> None:
    importance = {"right": right, "wrong": right[:, ::-1, ::-1]}
    randomised = {"right": [right, right[:, ::-1, ::-1]], "wrong": [np.ones(CLIP)] * 2}
    checks = ClipChecks((3, 6, 6), 4, (0,))
    mask = right[:1]
    found = checks.check(pixels, importance, randomised, brightness_of_the_corner, mask)
    heights = dict(zip(order_names([*importance]), area(found.curves.deletion), strict=True))
    assert heights["right"] > heights[RANDOM] > heights["wrong"]
    np.testing.assert_allclose(found.spearman[0], [1, -1 / 8])
    assert np.isnan(found.spearman[1]).all()  # a constant map has no ranks
    assert found.ssim[0, 0] == pytest.approx(1)
    assert found.ssim[0, 1] < 0.9
    again = checks.check(pixels, importance, randomised, brightness_of_the_corner, mask)
    np.testing.assert_array_equal(found.curves.deletion, again.curves.deletion)
