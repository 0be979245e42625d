"""Frames with their pixels, and those that are looked at together."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from depression_vr.faces.aligning.alignment import align, to_template
from depression_vr.faces.tracking.track_table import FrameFaces, Sighting
from depression_vr.faces.video import VideoFrame

THUMBNAIL_SIDE = 32


@dataclass(frozen=True)
class Picture:
    """A frame with its pixels."""

    frame: VideoFrame
    rgb: np.ndarray

    @cached_property
    def gray(self) -> np.ndarray:
        """``(H, W)``, uint8."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    def thumbnail(self, landmarks: np.ndarray) -> np.ndarray:
        """The aligned face, small, with mean 0 and norm 1, so that two are compared by their product."""
        face = align(self.gray, to_template(landmarks, THUMBNAIL_SIDE), THUMBNAIL_SIDE).astype(np.float32)
        face -= face.mean()
        return face / max(float(np.linalg.norm(face)), 1e-6)


class Group:
    """Consecutive frames of which the last is searched, and what is found in them.

    Attributes:
        between: all frames but the last.
        key: the last.
        searched: the faces of each frame that was searched, by its place; not yet known whose.
        sightings: of each frame, by the number of the track.
    """

    def __init__(self, pictures: list[Picture], candidates: list[Sighting]) -> None:
        self.between = pictures[:-1]
        self.key = pictures[-1]
        self.searched: dict[int, list[Sighting]] = {len(self.between): candidates}
        self.sightings: list[dict[int, Sighting]] = [{} for _ in pictures]

    def frames(self, faces_before: int) -> Iterator[FrameFaces]:
        """What is known of each frame; ``faces_before`` counts those at the search before these frames."""
        faces = faces_before
        for place, picture in enumerate((*self.between, self.key)):
            if place in self.searched:
                faces = len(self.searched[place])
            seen = tuple(self.sightings[place].values())
            frame = picture.frame
            yield FrameFaces(frame.number, frame.source, frame.time, max(faces, len(seen)), seen)
