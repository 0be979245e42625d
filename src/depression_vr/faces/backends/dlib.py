"""dlib's detectors and 68-point predictor, which the published STA-DRN preprocessing uses. All offline."""

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import NonNegativeInt, PositiveInt, validate_call

from depression_vr.errors import UserError
from depression_vr.faces.aligning.template import anchors
from depression_vr.faces.landmarks import LANDMARKS, Face
from depression_vr.parallel import cores

Detector = Literal["hog", "cnn"]

_WEIGHTS = {"cnn": "mmod_human_face_detector.dat", "landmarks": "shape_predictor_68_face_landmarks.dat"}

# Mean over 60 turned, scaled and shifted photographs of where the landmarks without the jaw lie in the box
# of the HOG detector, in widths of the box: their middle, and their root mean square distance from it.
_MIDDLE = np.array([-0.004, -0.040])
_SPREAD = 0.316

# The predictor takes and gives whole pixels, so it looks at a patch in which the box has this many.
_BOX_IN_PATCH = 300
_PATCH = 2 * _BOX_IN_PATCH


class Dlib:
    """Faces and landmarks by dlib.

    Args:
        detector: ``hog`` (frontal faces, quick on a CPU) or ``cnn`` (more poses, wants a GPU).
        search_side: frames are searched at this size of their longer side, in pixels, if they are larger.
            A face must there be about 80 pixels wide.
        retries: how often a frame without a face is searched again at twice the size.
        min_score: the detector's threshold. HOG scores start at 0 for doubtful faces; 1 is sure.
    """

    @validate_call
    def __init__(
        self,
        detector: Detector = "hog",
        search_side: PositiveInt = 640,
        retries: NonNegativeInt = 1,
        min_score: float = 0.0,
    ) -> None:
        self.detector = detector
        self.search_side = search_side
        self.retries = retries
        self.min_score = min_score

    def prepare(self) -> None:
        """Make sure that dlib and its weights are there.

        Raises:
            UserError: the extra ``[dlib]`` is not installed.
        """
        try:
            _load(self.detector)
            _load("landmarks")
        except (ImportError, OSError) as error:
            raise UserError(
                f"faces=dlib cannot be used: {error}",
                where="config key faces",
                fix="install the extra: pip install 'depression-vr[dlib]'",
            ) from error

    def processes(self) -> int:
        """One per core."""
        return cores()

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces of each frame, the surest first."""
        return [self._detect_in(frame) for frame in frames]

    def _detect_in(self, frame: np.ndarray) -> list[Face]:
        scale = min(1.0, self.search_side / max(frame.shape[:2]))
        for _ in range(self.retries + 1):
            faces = self._search(_resized(frame, scale), scale)
            if faces:
                break
            scale *= 2
        return faces

    def _search(self, frame: np.ndarray, scale: float) -> list[Face]:
        if self.detector == "cnn":
            found = [(match.rect, match.confidence) for match in _load("cnn")(frame, 0)]
            found = [(rectangle, score) for rectangle, score in found if score >= self.min_score]
        else:
            gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            rectangles, scores, _ = _load("hog").run(gray, 0, self.min_score)
            found = list(zip(rectangles, scores, strict=True))
        return [Face(_box(rectangle) / scale, float(score)) for rectangle, score in found]

    def landmarks(self, frames: Sequence[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the landmarks of one face in each frame; dlib has no confidence for them.

        The predictor runs twice: in the box, then in the mean box of what it found there, turned upright.
        That makes the result depend less on the box; it halves the jitter.
        """
        found = np.empty((len(frames), LANDMARKS, 2))
        for number, (frame, box) in enumerate(zip(frames, boxes, strict=True)):
            gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            first = _predict(gray, box, angle=0.0)
            angle = _roll(first)
            turn = _rotation(-angle)
            upright = self.box_around(first[None] @ turn.T)[0]
            middle, half = (upright[:2] + upright[2:]) / 2 @ turn, (upright[2:] - upright[:2]) / 2
            found[number] = _predict(gray, np.concatenate([middle - half, middle + half]), angle)
        return found, np.ones(len(frames))

    def box_around(self, landmarks: np.ndarray) -> np.ndarray:
        """The detector's mean box for given landmarks, which has not its jitter."""
        inner = landmarks[:, 17:]
        middle = inner.mean(axis=1)
        spread = np.sqrt(np.square(inner - middle[:, None]).sum(axis=2).mean(axis=1, keepdims=True))
        side = spread / _SPREAD
        middle = middle - _MIDDLE * side
        return np.hstack([middle - side / 2, middle + side / 2])


def _predict(gray: np.ndarray, box: np.ndarray, angle: float) -> np.ndarray:
    """Landmarks ``(68, 2)`` in a box about a face that is turned clockwise by ``angle`` (radians)."""
    import dlib  # noqa: PLC0415

    middle = (box[:2] + box[2:]) / 2
    turn = _rotation(-angle) * (_BOX_IN_PATCH / (box[2] - box[0]))
    shift = _PATCH / 2 - turn @ middle
    patch = cv2.warpAffine(gray, np.column_stack([turn, shift]), (_PATCH, _PATCH))
    corner, end = (_PATCH - _BOX_IN_PATCH) // 2, (_PATCH + _BOX_IN_PATCH) // 2
    shape = _load("landmarks")(patch, dlib.rectangle(corner, corner, end, end))
    points = np.array([(point.x, point.y) for point in shape.parts()], float)
    return (points - shift) @ np.linalg.inv(turn).T


def _roll(landmarks: np.ndarray) -> float:
    left, right, _ = anchors(landmarks)
    return float(np.arctan2(right[1] - left[1], right[0] - left[0]))


def _rotation(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _resized(frame: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return frame
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(frame, None, fx=scale, fy=scale, interpolation=interpolation)


def _box(rectangle: Any) -> np.ndarray:
    return np.array([rectangle.left(), rectangle.top(), rectangle.right(), rectangle.bottom()], float)


@functools.cache
def _load(name: str) -> Any:
    """A detector or the predictor, loaded once in a process."""
    import dlib  # noqa: PLC0415

    if name == "hog":
        return dlib.get_frontal_face_detector()
    weights = str(weights_file(name))
    return dlib.cnn_face_detection_model_v1(weights) if name == "cnn" else dlib.shape_predictor(weights)


def weights_file(name: str) -> Path:
    """Where the package has the weights of ``cnn`` or of ``landmarks``.

    Raises:
        ImportError: the package is not installed.
    """
    # found, not imported: the package imports a module that setuptools has dropped
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or package.origin is None:
        raise ImportError("No module named 'face_recognition_models'")
    return Path(package.origin).parent / "models" / _WEIGHTS[name]
