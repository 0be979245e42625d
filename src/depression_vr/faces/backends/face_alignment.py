"""FAN's landmarks (Bulat and Tzimiropoulos, ICCV 2017) and five detectors, by the package face-alignment."""

import functools
import importlib
import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, PositiveInt, StringConstraints, validate_call

from depression_vr.errors import UserError
from depression_vr.faces.backends.face_alignment_weights import (
    Detector,
    WeightFile,
    download_missing,
    package_module,
    weight_files,
)
from depression_vr.faces.landmarks import LANDMARKS, Face
from depression_vr.parallel import cores

Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]

_THRESHOLDS = {
    "sfd": "filter_threshold",
    "blazeface": "min_score_thresh",
    "retinaface": "confidence_threshold",
    "yunet": "score_threshold",
    "scrfd": "confidence_threshold",
}
_BATCHED = ("sfd", "blazeface")  # the package's batches of the others are loops over images
_PIXELS_AT_ONCE = 1 << 21  # in one search; the first layers of sfd take some 0.5 kB for each
_HEATMAP = np.array([0.25, 64.0])  # where the corners (1, 1) and (256, 256) of a crop are in the heat map
_FEWEST_PIXELS = 4  # that a crop is enlarged from
_WIDEST = 4  # times the frame; a wider crop shows no face and takes memory
_PROCESSES_ON_A_GPU = 4


class FaceAlignment:
    """Faces and landmarks by networks; they want a GPU.

    Args:
        detector: ``sfd`` finds most; ``blazeface`` is quick, but sees only large faces in the middle square
            of the frame; ``yunet`` and ``scrfd`` (needs onnxruntime) are quick on a CPU.
        device: ``auto`` is the first GPU, or else the CPU. ``yunet`` always runs on the CPU.
        batch_size: faces that go through the landmark network together.
        flip: average with the landmarks of the mirrored face, which takes twice the time.
        min_score: the detector's threshold; ``sfd`` itself looks at nothing below 0.05.
        compile: compile the landmark network, which takes minutes once.
    """

    CHANGES_NO_FRAME = ("device", "batch_size", "compile")

    @validate_call
    def __init__(
        self,
        detector: Detector = "sfd",
        device: Device = "auto",
        batch_size: PositiveInt = 16,
        flip: bool = False,
        min_score: Annotated[float, Field(ge=0.05, le=1)] = 0.5,
        compile: bool = False,  # noqa: A002
    ) -> None:
        self.detector = detector
        self.device = device
        self.batch_size = batch_size
        self.flip = flip
        self.min_score = min_score
        self.compile = compile

    def prepare(self) -> None:
        """Make sure that packages, device and weights are there; download weights that are not.

        Raises:
            UserError: what is missing or damaged, where it belongs, and what works without it.
        """
        _prepare(self.detector, self.device)

    def _package(self) -> Any:
        return _load(self.detector, self.device, self.min_score, self.compile, torch.hub.get_dir())

    def processes(self) -> int:
        """One per core of a CPU; few on a GPU, where each has the networks in memory of its own."""
        return cores() if _existing(self.device) == "cpu" else min(cores(), _PROCESSES_ON_A_GPU)

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces of each frame; scores are in 0..1."""
        scale = self._package().face_detector.reference_scale
        return [
            [Face(_sfd_box(np.array(row[:4], float), scale), float(row[4])) for row in rows]
            for rows in self._search(frames)
        ]

    def _search(self, frames: Sequence[np.ndarray]) -> Iterator[Any]:
        """The package's rows ``x0, y0, x1, y1, score`` for each frame."""
        detector = self._package().face_detector
        if self.detector not in _BATCHED:
            yield from map(detector.detect_from_image, frames)
            return
        together = max(1, _PIXELS_AT_ONCE // frames[0][..., 0].size) if frames else 1
        for start in range(0, len(frames), together):
            batch = np.stack(frames[start : start + together])
            yield from detector.detect_from_batch(torch.from_numpy(batch).permute(0, 3, 1, 2))

    def landmarks(self, frames: Sequence[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the landmarks of one face in each frame.

        Their confidence is the mean height of the 68 peaks in the heat maps, and 0 for a box in which there
        is no picture or only black.
        """
        points, confidence = np.empty((len(frames), LANDMARKS, 2)), np.empty(len(frames))
        for start in range(0, len(frames), self.batch_size):
            some = slice(start, start + self.batch_size)
            views = [_view(frame, box) for frame, box in zip(frames[some], boxes[some], strict=True)]
            crops = np.stack([crop for crop, _ in views])
            peaks, _, heights = package_module("utils").get_preds_fromhm(self._heat_maps(crops))
            points[some] = _in_the_frame(peaks, np.stack([corners for _, corners in views]))
            confidence[some] = heights.mean(axis=1).clip(0, 1) * crops.any(axis=(1, 2, 3))
        return points, confidence

    def _heat_maps(self, crops: np.ndarray) -> np.ndarray:
        """Heat maps ``(B, 68, 64, 64)``, peaks about 1, of crops ``(B, 256, 256, 3)``."""
        package, flip = self._package(), package_module("utils").flip
        network = package.face_alignment_net
        with torch.inference_mode():
            batch = torch.from_numpy(crops).to(package.device).permute(0, 3, 1, 2).contiguous().float() / 255
            heat: torch.Tensor = network(batch)[-1]
            if self.flip:
                heat = (heat + flip(network(flip(batch))[-1], is_label=True)) / 2
            return heat.cpu().numpy()

    def box_around(self, landmarks: np.ndarray) -> np.ndarray:
        """The tight boxes of landmarks, which are what FAN was trained with."""
        return np.hstack([landmarks.min(axis=1), landmarks.max(axis=1)])


def _middle(box: np.ndarray) -> np.ndarray:
    """Where the package centres the crop of a box: above its middle."""
    above = package_module("utils").CENTER_Y_OFFSET * (box[3] - box[1])
    return (box[:2] + box[2:]) / 2 - np.array([0.0, above])


def _sfd_box(box: np.ndarray, reference_scale: float) -> np.ndarray:
    """The box for which sfd's reference scale gives the crop that the detector's own gives for `box`."""
    middle = np.tile(_middle(box), 2)
    return middle + (box - middle) * (package_module("utils").REFERENCE_SCALE / reference_scale)


def _view(frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the landmark network sees of a box: a picture ``(256, 256, 3)``, black where there is none.

    Also returns the corners ``((x0, y0), (x1, y1))`` of that picture in the frame, in pixels from its edge.
    """
    utils = package_module("utils")
    resolution, picture = utils.CROP_RESOLUTION, np.array(frame.shape[1::-1])
    middle, scale = _middle(box), (box[2:] - box[:2]).sum() / utils.REFERENCE_SCALE
    side = scale * utils.SCALE_FACTOR
    corners = middle + side * np.array([[1 / resolution - 0.5], [0.5]])
    # the package's crop fails outside of the picture
    sees = _FEWEST_PIXELS <= side <= _WIDEST * picture.max()
    if not (sees and (corners[1] > 1).all() and (corners[0] < picture).all()):
        return np.zeros((resolution, resolution, 3), np.uint8), corners
    # the crop begins and ends with whole pixels, which the package's own landmarks do not take into account
    ends = [utils.transform([at, at], middle, scale, resolution, invert=True) for at in (1, resolution)]
    corners = np.stack([end.numpy() for end in ends])
    return utils.crop(frame, middle, scale), corners


def _in_the_frame(peaks: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Points ``(B, 68, 2)`` of heat maps, in pixels of the frame, for corners ``(B, 2, 2)`` of the crops.

    `utils.transform` of the package inverted, but between the corners that the crop really has. It counts
    from the edge of the first pixel, we from its centre.
    """
    first, last = corners[:, None, 0], corners[:, None, 1]
    return first + (peaks - _HEATMAP[0]) / np.diff(_HEATMAP) * (last - first) - 0.5


@functools.cache
def _load(detector: Detector, device: str, min_score: float, compiled: bool, hub: str) -> Any:
    """The package's object, loaded once in a process; ``hub`` only tells folders of weights apart."""
    device, files = _prepare(detector, device)
    # given their paths, sfd and blazeface unpickle nothing but weights
    paths = [str(file.path) for file in files[1:]]
    path_arguments = dict(zip(("path_to_detector", "path_to_anchor"), paths, strict=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return package_module("api").FaceAlignment(
            package_module("api").LandmarksType.TWO_D,
            device=device,
            face_detector=detector,
            face_detector_kwargs={_THRESHOLDS[detector]: min_score, **path_arguments},
            compile=compiled,
        )


def _prepare(detector: Detector, device: str) -> tuple[str, list[WeightFile]]:
    """The device that is there, and the files that have been checked: the landmark network's comes first."""
    _require("face_alignment", "'face-alignment>=1.5'")
    if detector == "scrfd":
        _require("onnxruntime", "onnxruntime")
    device = _existing(device)
    files = weight_files(detector)
    download_missing(files)
    for file in files:
        file.check()
    return device, files


def _require(package: str, requirement: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UserError(
            f"faces=face_alignment needs the package {package}, which is not installed",
            where="config key faces.backend",
            fix=f"pip install {requirement}; or use faces=dlib",
        )


def _existing(device: str) -> str:
    cuda = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if cuda else "cpu"
    kind, _, number = device.partition(":")
    there = {
        "cpu": True,
        "mps": torch.backends.mps.is_available(),
        "cuda": cuda and int(number or 0) < torch.cuda.device_count(),
    }
    if not there[kind]:
        raise UserError(
            f"this machine has no device {device} that torch can use",
            where="config key faces.backend.device",
            fix="use auto, which takes what is there",
        )
    return device
