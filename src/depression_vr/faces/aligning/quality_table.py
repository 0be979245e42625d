"""The quality table: one row per frame of a video, as Parquet."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from depression_vr.faces.aligning.alignment import Similarity
from depression_vr.faces.aligning.measures import HeadPose
from depression_vr.faces.aligning.smoothing import Pose
from depression_vr.faces.tracking.track_table import BOX_COLUMNS, LANDMARK_COLUMNS, ROWS_IN_MEMORY, table_of

MEASURES = ("sharpness", "brightness", "roll", "yaw", "pitch")
TRANSFORM_COLUMNS = ("align_a", "align_b", "align_x", "align_y")

_SCHEMA = pa.schema(
    [
        ("frame", pa.int32()),
        ("source_frame", pa.int32()),
        ("time", pa.float64()),
        ("state", pa.string()),
        ("score", pa.float32()),
        ("confidence", pa.float32()),
        ("faces", pa.int16()),
        *((name, pa.float32()) for name in MEASURES),
        *((name, pa.float64()) for name in TRANSFORM_COLUMNS),
        *((name, pa.float32()) for name in (*BOX_COLUMNS, *LANDMARK_COLUMNS)),
    ]
)


@dataclass(frozen=True)
class Aligned:
    """What is known of one aligned frame beside its landmarks.

    Attributes:
        transform: from the frame to the aligned frame.
        head: where the head points.
        sharpness: variance of the Laplacian of the aligned frame.
        brightness: mean luma of the face, 0..255.
    """

    transform: Similarity
    head: HeadPose
    sharpness: float
    brightness: float


class QualityTable:
    """Writes the table row by row; memory does not grow.

    Columns: ``frame`` (its number, also in the file name), ``source_frame``, ``time`` (seconds), ``state``
    (detected, tracked, interpolated, lost), ``score`` (the detector's, or the likeness to the last detection
    where tracked), ``confidence`` of the landmarks, ``faces`` in the frame, `MEASURES`, the transform to the
    aligned frame, ``(x, y) -> (align_a x - align_b y + align_x, align_b x + align_a y + align_y)``, the box
    and the 68 smoothed landmarks in pixels of the upright frame.
    """

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")
        self._rows: list[list[object]] = []

    def __enter__(self) -> "QualityTable":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write()
        self._writer.close()

    def add(self, pose: Pose, aligned: Aligned | None) -> None:
        """Add one frame; ``aligned`` is None where it is lost."""
        self._rows.append(_row(pose, aligned))
        if len(self._rows) >= ROWS_IN_MEMORY:
            self._write()

    def _write(self) -> None:
        self._writer.write_table(table_of(self._rows, _SCHEMA))
        self._rows.clear()


def _row(pose: Pose, aligned: Aligned | None) -> list[object]:
    frame = pose.frame
    sighting = frame.sightings[0] if frame.sightings else None
    score, confidence = (sighting.score, sighting.confidence) if sighting else (np.nan, np.nan)
    head = [frame.number, frame.source, frame.time, pose.state, score, confidence, frame.faces]
    if aligned is None or pose.landmarks is None:
        return [*head, *[np.nan] * (len(_SCHEMA) - len(head))]
    transform, pointing = aligned.transform, aligned.head
    box = [*pose.landmarks.min(axis=0), *pose.landmarks.max(axis=0)]
    return [
        *head,
        *(aligned.sharpness, aligned.brightness, pointing.roll, pointing.yaw, pointing.pitch),
        *(transform.a, transform.b, transform.tx, transform.ty),
        *box,
        *pose.landmarks.T.ravel(),
    ]
