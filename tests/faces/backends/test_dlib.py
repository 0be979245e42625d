"""dlib's detectors and predictor on a real photograph."""

import numpy as np
import pytest

from depression_vr.errors import UserError
from depression_vr.faces.aligning.alignment import Similarity
from depression_vr.faces.backends import dlib as backend
from depression_vr.faces.backends.dlib import Dlib
from depression_vr.faces.tracking.tracks import overlap
from photograph import HEIGHT, WIDTH, picture, placed

pytest.importorskip("dlib", reason="the extra [dlib] is not installed")

CENTRE = (WIDTH / 2, HEIGHT / 2)


@pytest.mark.parametrize("detector", ["hog", "cnn"])
def test_a_face_is_found_where_it_is(detector: str) -> None:
    motion = placed(1.5, 5, CENTRE)
    (faces,) = Dlib(detector=detector, search_side=240 if detector == "cnn" else 640).detect(
        [picture([motion])]
    )
    assert len(faces) == 1
    middle = (faces[0].box[:2] + faces[0].box[2:]) / 2
    assert np.linalg.norm(middle - CENTRE) < 25
    assert 100 < faces[0].box[2] - faces[0].box[0] < 230


def test_several_faces_are_found_and_none_in_an_empty_picture() -> None:
    two = picture([placed(1.2, 0, (120, 180)), placed(1.2, 0, (360, 180))])
    faces, none = Dlib().detect([two, np.full_like(two, 90)])
    assert sorted(round(face.box[[0, 2]].mean() / 120) for face in faces) == [1, 3]
    assert none == []


def test_a_small_face_is_found_by_searching_again_at_twice_the_size() -> None:
    small = picture([placed(0.55, 0, CENTRE)])
    assert Dlib(retries=0).detect([small]) == [[]]
    ((face,),) = Dlib(retries=1).detect([small])
    assert np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - CENTRE) < 15


def test_boxes_of_large_frames_are_in_their_own_pixels() -> None:
    large = picture([placed(3, 0, (640, 360))], 1280, 720)
    shrunk, whole = Dlib(search_side=640).detect([large]), Dlib(search_side=1280).detect([large])
    assert overlap(shrunk[0][0].box, whole[0][0].box) > 0.7


def test_landmarks_follow_a_known_motion_whatever_box_they_are_sought_in() -> None:
    predictor = Dlib()
    still = placed(1.5, 0, CENTRE)
    motions = [still, *(placed(scale, angle, (230, 175)) for scale, angle in ((1.4, -14), (1.7, 12)))]
    shifts = np.array([[0, 0, 0, 0], [9, -6, 9, -6], [-10, -10, 12, 12]])
    frames = [picture([motion]) for motion in motions]
    boxes = np.array([faces[0].box for faces in predictor.detect(frames)])
    of_still, _ = predictor.landmarks([frames[0]] * 3, boxes[0] + shifts)
    assert np.abs(of_still - of_still[0])[:, 17:].max() < 4
    found, confidence = predictor.landmarks(frames, boxes)
    assert confidence.tolist() == [1, 1, 1]
    for motion, landmarks in zip(motions[1:], found[1:], strict=True):
        in_photograph = _undo(landmarks, motion), _undo(found[0], still)
        distance = np.linalg.norm(in_photograph[0] - in_photograph[1], axis=1)[17:]
        assert np.sqrt(np.square(distance).mean()) < 1.0


def _undo(points: np.ndarray, motion: Similarity) -> np.ndarray:
    matrix = np.linalg.inv(np.vstack([motion.matrix(), [0, 0, 1]]))
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def test_the_box_around_landmarks_is_like_the_detectors() -> None:
    predictor = Dlib()
    frame = picture([placed(1.5, 8, CENTRE)])
    box = predictor.detect([frame])[0][0].box
    landmarks, _ = predictor.landmarks([frame], box[None])
    assert overlap(predictor.box_around(landmarks)[0], box) > 0.75


def test_a_box_that_leaves_the_picture_gives_landmarks_all_the_same() -> None:
    frame = picture([placed(1.5, 0, (30, 180))])
    landmarks, _ = Dlib().landmarks([frame] * 2, np.array([[-60, 100, 120, 280], [-900, -900, -800, -800]]))
    assert np.isfinite(landmarks).all()


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    backend._load.cache_clear()
    try:
        with pytest.raises(UserError, match=r"depression-vr\[dlib\]"):
            Dlib().prepare()
    finally:
        backend._load.cache_clear()
