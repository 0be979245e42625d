"""The quality table: one row per frame of a video, as Parquet, and what it sums up to."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

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
    """Writes the table row by row and keeps what the summary needs; memory does not grow.

    Columns: ``frame`` (its number, also in the file name), ``source_frame``, ``time`` (seconds), ``state``
    (detected, tracked, interpolated, lost), ``score`` (the detector's, or the likeness to the last detection
    where tracked), ``confidence`` of the landmarks, ``faces`` in the frame, `MEASURES`, the transform to the
    aligned frame, ``(x, y) -> (align_a x - align_b y + align_x, align_b x + align_a y + align_y)``, the box
    and the 68 smoothed landmarks in pixels of the upright frame.
    """

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")
        self._rows: list[list[object]] = []
        self._states: dict[str, int] = {"detected": 0, "tracked": 0, "interpolated": 0, "lost": 0}
        self._sums = np.zeros(len(MEASURES))
        self._squares = np.zeros(len(MEASURES))
        self._widths = self._scores = self._confidences = 0.0
        self._most_faces = self._several_faces = 0
        self._gap_began: float | None = None
        self._gap_frames = self._longest_frames = 0
        self._longest_seconds = 0.0
        self._previous_time = 0.0

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
        self._states[pose.state] += 1
        self._most_faces = max(self._most_faces, pose.frame.faces)
        self._several_faces += pose.frame.faces > 1
        if aligned is not None:
            measures = np.array(_measures(aligned))
            self._sums += measures
            self._squares += measures**2
        self._note_face(pose)
        self._note_gap(pose)

    def _note_face(self, pose: Pose) -> None:
        if pose.landmarks is not None:
            self._widths += float(np.ptp(pose.landmarks[:, 0]))
        for sighting in pose.frame.sightings[:1]:
            self._confidences += sighting.confidence
            self._scores += sighting.score if sighting.detected else 0.0

    def _note_gap(self, pose: Pose) -> None:
        """A gap lasts from the last frame with a face to the next one, or to the end of the video."""
        if self._gap_began is not None:
            self._longest_seconds = max(self._longest_seconds, pose.frame.time - self._gap_began)
        if pose.state in ("detected", "tracked"):
            self._gap_frames, self._gap_began = 0, None
        else:
            self._gap_began = self._previous_time if self._gap_began is None else self._gap_began
            self._gap_frames += 1
            self._longest_frames = max(self._longest_frames, self._gap_frames)
        self._previous_time = pose.frame.time

    def _write(self) -> None:
        self._writer.write_table(table_of(self._rows, _SCHEMA))
        self._rows.clear()

    def summary(self) -> dict[str, Any]:
        """Counts of frames by state, rates, the longest gap, and mean and deviation of the measures.

        ``face_width_mean`` is the width of the landmarks' box in pixels of the upright frame, over the frames
        that were written; ``score_mean`` is over the frames in which the face was detected,
        ``confidence_mean`` over those in which it was seen.
        """
        frames = sum(self._states.values())
        written = frames - self._states["lost"]
        mean = self._sums / max(written, 1)
        variance = np.maximum(self._squares / max(written, 1) - mean**2, 0)
        seen = self._states["detected"] + self._states["tracked"]
        return {
            "frames": frames,
            "frames_written": written,
            **self._states,
            "seen_rate": seen / max(frames, 1),
            "written_rate": written / max(frames, 1),
            "longest_gap_frames": self._longest_frames,
            "longest_gap_seconds": round(self._longest_seconds, 6),
            "most_faces": self._most_faces,
            "several_faces_rate": self._several_faces / max(frames, 1),
            **{f"{name}_mean": float(value) for name, value in zip(MEASURES, mean, strict=True)},
            **{f"{name}_std": float(value) for name, value in zip(MEASURES, np.sqrt(variance), strict=True)},
            "face_width_mean": self._widths / max(written, 1),
            "score_mean": self._scores / max(self._states["detected"], 1),
            "confidence_mean": self._confidences / max(seen, 1),
        }


def _measures(aligned: Aligned) -> list[float]:
    head = aligned.head
    return [aligned.sharpness, aligned.brightness, head.roll, head.yaw, head.pitch]


def _row(pose: Pose, aligned: Aligned | None) -> list[object]:
    frame = pose.frame
    sighting = frame.sightings[0] if frame.sightings else None
    score, confidence = (sighting.score, sighting.confidence) if sighting else (np.nan, np.nan)
    head = [frame.number, frame.source, frame.time, pose.state, score, confidence, frame.faces]
    if aligned is None or pose.landmarks is None:
        return [*head, *[np.nan] * (len(_SCHEMA) - len(head))]
    transform = aligned.transform
    box = [*pose.landmarks.min(axis=0), *pose.landmarks.max(axis=0)]
    return [
        *head,
        *_measures(aligned),
        *(transform.a, transform.b, transform.tx, transform.ty),
        *box,
        *pose.landmarks.T.ravel(),
    ]
