"""The baseline of preprocessing: how the field's published scripts cut faces out, every frame by itself."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2

from depression_vr.faces.backends.dlib import weights_file
from depression_vr.faces.video import VideoFrame

_UPSAMPLING = 1
_SIDE = 256


class FrameByFrame:
    """dlib's frontal detector on the full frame, upsampled once, its landmarks, and its own face chip.

    Decoding is ours, so that only the rest is compared. Call `faces=dlib`'s ``prepare`` first, which says
    what is missing.
    """

    def __init__(self) -> None:
        import dlib  # noqa: PLC0415

        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(weights_file("landmarks")))

    def write(self, frames: Iterable[VideoFrame], folder: Path) -> int:
        """Write a JPEG file of the largest face of every frame; returns the number of frames."""
        number = 0
        for number, frame in enumerate(frames, start=1):
            rgb = frame.rgb()
            faces = self._detector(rgb, _UPSAMPLING)
            if faces:
                landmarks = self._predictor(rgb, max(faces, key=lambda face: face.area()))
                chip = self._dlib.get_face_chip(rgb, landmarks, size=_SIDE)
                cv2.imwrite(str(folder / f"frame_{number:06d}.jpg"), cv2.cvtColor(chip, cv2.COLOR_RGB2BGR))
        return number
