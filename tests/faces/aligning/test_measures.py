"""Angles, sharpness and brightness mean what their names say."""

import cv2
import numpy as np
import pytest

from depression_vr.faces.aligning.measures import _FACE, _POINTS, brightness, head_pose, sharpness


def turned(roll: float, yaw: float, pitch: float) -> np.ndarray:
    """Landmarks of the mean face, turned by hand: first up, then to the right, then clockwise; degrees."""
    roll, yaw, pitch = np.radians([roll, yaw, pitch])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    shake = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    landmarks = np.zeros((68, 2))
    landmarks[list(_POINTS)] = (_FACE @ (tilt @ shake @ nod).T)[:, :2] * 1.7 + (200, 150)
    return landmarks


@pytest.mark.parametrize(
    ("roll", "yaw", "pitch"), [(0, 0, 0), (20, 0, 0), (0, 25, 0), (0, 0, 15), (-10, -20, 0), (5, 10, -12)]
)
def test_the_angles_of_a_turned_face_are_recovered(roll: float, yaw: float, pitch: float) -> None:
    pose = head_pose(turned(roll, yaw, pitch))
    assert (pose.roll, pose.yaw, pose.pitch) == pytest.approx((roll, yaw, pitch), abs=1.5)


def test_the_nose_of_a_face_that_looks_right_and_up_is_right_and_up() -> None:
    straight, turned_face = turned(0, 0, 0), turned(0, 20, 10)
    eyes = turned_face[[36, 45]].mean(axis=0) - straight[[36, 45]].mean(axis=0)
    nose = turned_face[30] - straight[30]
    assert nose[0] > eyes[0]
    assert nose[1] < eyes[1]


def test_sharpness_falls_with_blur() -> None:
    face = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    levels = [sharpness(cv2.GaussianBlur(face, (0, 0), blur)) for blur in (0.5, 1, 2, 4)]
    assert levels == sorted(levels, reverse=True)
    assert sharpness(np.full((256, 256), 80, np.uint8)) == 0


def test_brightness_is_that_of_the_face_and_not_of_the_ground() -> None:
    face = np.full((256, 256), 255, np.uint8)
    face[40:230, 50:206] = 90
    assert brightness(face) == 90
