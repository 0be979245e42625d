"""The second look at a video: cut the aligned face out of every frame and write it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from depression_vr.faces.aligning.alignment import align, to_template
from depression_vr.faces.aligning.measures import brightness, head_pose, sharpness
from depression_vr.faces.aligning.quality_table import Aligned, QualityTable
from depression_vr.faces.aligning.smoothing import Pose
from depression_vr.faces.video import VideoFrame


@dataclass(frozen=True)
class Crops:
    """How aligned frames are made.

    Attributes:
        size: side of an aligned frame in pixels.
        format: of the files, ``jpg`` or ``png``.
        quality: of JPEG files, 1..100.
        gap_limit: gaps of at most so many seconds are bridged by interpolated landmarks.
        smoothing: standard deviation, in seconds, of the smoothing of landmarks over time; 0 for none.
        least_written: a video fails in which a smaller share (0..1) of the frames shows the face: what was
            found there is a false alarm, or too little to judge a person by.
    """

    size: Annotated[int, Field(ge=16, le=4096)] = 256
    format: Literal["jpg", "png"] = "jpg"
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    gap_limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    smoothing: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    least_written: Annotated[float, Field(ge=0, le=1)] = 0.1


def write_crops(
    folder: Path, frames: Iterable[VideoFrame], poses: Iterable[Pose], crops: Crops, table: QualityTable
) -> None:
    """Write ``frame_000001.jpg`` and so on, numbered as the frames are, and the rows of the quality table.

    Raises:
        OSError: a file cannot be written.
        ValueError: there are not as many frames as poses.
    """
    for frame, pose in zip(frames, poses, strict=True):
        if pose.landmarks is None:
            table.add(pose, None)
            continue
        transform = to_template(pose.landmarks, crops.size)
        face = align(frame.rgb(), transform, crops.size)
        gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        table.add(pose, Aligned(transform, head_pose(pose.landmarks), sharpness(gray), brightness(gray)))
        (folder / f"frame_{frame.number:06d}.{crops.format}").write_bytes(_encoded(face, crops))


def _encoded(face: np.ndarray, crops: Crops) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, crops.quality] if crops.format == "jpg" else []
    _, encoded = cv2.imencode(f".{crops.format}", cv2.cvtColor(face, cv2.COLOR_RGB2BGR), options)
    return encoded.tobytes()
