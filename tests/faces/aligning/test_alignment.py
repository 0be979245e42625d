"""Frames come to lie on the template, whatever their size, and nothing aliases."""

import re
from pathlib import Path

import numpy as np
import pytest

from depression_vr.faces.aligning.alignment import Similarity, align, fit, to_template
from depression_vr.faces.aligning.template import TEMPLATE, anchors

FIGURE = Path(__file__).parents[3] / "docs" / "face_template.svg"


def test_a_known_rotation_scale_and_shift_are_recovered() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (5, 2))
    motion = Similarity(a=1.2, b=0.5, tx=-30, ty=12)
    found = fit(points, motion.apply(points))
    assert (found.a, found.b, found.tx, found.ty) == pytest.approx((1.2, 0.5, -30, 12))
    assert found.scale == pytest.approx(1.3)
    assert found.angle == pytest.approx(22.62, abs=0.01)


def test_the_fit_is_the_least_squares_one() -> None:
    generator = np.random.default_rng(1)
    points, targets = generator.normal(size=(2, 6, 2))

    def error(similarity: Similarity) -> float:
        return float(np.square(similarity.apply(points) - targets).sum())

    best = fit(points, targets)
    for change in np.eye(4) * 1e-3:
        for sign in (-1, 1):
            a, b, tx, ty = np.array([best.a, best.b, best.tx, best.ty]) + sign * change
            assert error(Similarity(a, b, tx, ty)) > error(best)


@pytest.mark.parametrize("size", [96, 256])
def test_eyes_and_mouth_lie_on_the_template(size: int) -> None:
    landmarks = np.random.default_rng(2).uniform(0, 300, (68, 2))
    landmarks[[36, 39, 42, 45, 48, 54]] = [
        [80, 80],
        [120, 80],
        [180, 80],
        [220, 80],
        [115, 184.8],
        [185, 184.8],
    ]
    found = anchors(to_template(landmarks, size).apply(landmarks))
    # pixel centres lie half a pixel from the edges that fractions count from
    assert found == pytest.approx(TEMPLATE * size - 0.5, abs=0.001 * size)


def test_a_blink_and_an_opening_mouth_leave_the_alignment_alone() -> None:
    landmarks = np.random.default_rng(3).uniform(0, 300, (68, 2))
    moved = landmarks.copy()
    moved[[37, 38, 40, 41, 43, 44, 46, 47, 57, 58, 56, 66]] += 20
    assert to_template(moved, 256) == to_template(landmarks, 256)


def test_a_fine_pattern_becomes_gray_and_not_a_coarse_pattern() -> None:
    checkers = np.indices((512, 512)).sum(axis=0) % 2 * np.uint8(255)
    shrunk = align(checkers.astype(np.uint8), Similarity(0.23, 0.05, 20, 3), 100)
    inside = shrunk[30:70, 30:70].astype(float)
    assert inside.std() < 2
    assert inside.mean() == pytest.approx(127.5, abs=2)


def test_pixels_move_as_points_do() -> None:
    ys, xs = np.indices((200, 300))
    spot = 250 * np.exp(-((xs - 211) ** 2 + (ys - 121) ** 2) / (2 * 4**2))
    frame = np.repeat(spot[..., None], 3, axis=2).astype(np.uint8)
    for motion in (Similarity(0.5, 0.2, 10, 5), Similarity(1.3, -0.4, -150, 20)):
        aligned = align(frame, motion, 200)[..., 0].astype(float)
        ys, xs = np.indices(aligned.shape)
        middle = np.array([(xs * aligned).sum(), (ys * aligned).sum()]) / aligned.sum()
        assert middle == pytest.approx(motion.apply(np.array([211.0, 121.0])), abs=0.1)


def test_what_lies_outside_of_the_frame_is_black() -> None:
    frame = np.full((100, 100, 3), 200, np.uint8)
    aligned = align(frame, Similarity(0.5, 0, 50, 0), 100)
    assert (aligned[:, :40] == 0).all()
    assert (aligned[2:45, 55:95] == 200).all()
    assert (align(frame, Similarity(0.5, 0, 5000, 0), 100) == 0).all()


def test_the_figure_shows_the_template() -> None:
    circles = re.findall(r'<circle class="anchor" cx="([\d.]+)" cy="([\d.]+)"', FIGURE.read_text())
    assert np.array(circles, float) == pytest.approx(TEMPLATE * 256)
