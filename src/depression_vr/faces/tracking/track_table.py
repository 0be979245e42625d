"""What tracking finds in every frame, and its table on disk, which holds a video of any length."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from depression_vr.faces.landmarks import LANDMARKS

LANDMARK_COLUMNS = tuple(f"{axis}_{point}" for axis in "xy" for point in range(LANDMARKS))
BOX_COLUMNS = ("box_x0", "box_y0", "box_x1", "box_y1")
ROWS_IN_MEMORY = 512

_SCHEMA = pa.schema(
    [
        ("frame", pa.int32()),
        ("source_frame", pa.int32()),
        ("time", pa.float64()),
        ("faces", pa.int16()),
        ("track", pa.int32()),
        ("detected", pa.bool_()),
        ("score", pa.float32()),
        ("confidence", pa.float32()),
        *((name, pa.float32()) for name in (*BOX_COLUMNS, *LANDMARK_COLUMNS)),
    ]
)
_NOBODY = -1


@dataclass(frozen=True)
class Sighting:
    """One face in one frame.

    Attributes:
        track: number of the person's track.
        detected: found by the detector; else followed from a frame where it was.
        score: the detector's confidence, or the likeness (-1..1) to the frame it was followed from.
        confidence: of the landmarks, 0..1.
        box: about the face, shape ``(4,)``.
        landmarks: shape ``(68, 2)``.
    """

    track: int
    detected: bool
    score: float
    confidence: float
    box: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class FrameFaces:
    """One frame and the faces in it.

    Attributes:
        number: of the frame, from 1.
        source: of the decoded frame in the file, from 1.
        time: seconds since the first frame.
        faces: how many faces there are, or were at the last search.
        sightings: the faces that are followed.
    """

    number: int
    source: int
    time: float
    faces: int
    sightings: tuple[Sighting, ...]


def write_tracks(path: Path, frames: Iterable[FrameFaces]) -> int | None:
    """Write all frames; memory does not grow with their number.

    Returns:
        The track of the person the video is about: present longest, large faces counting more. None
        where there is no face.
    """
    presence: dict[int, float] = {}
    rows: list[list[object]] = []
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        for frame in frames:
            rows += _rows(frame)
            for sighting in frame.sightings:
                width = float(sighting.box[2] - sighting.box[0])
                presence[sighting.track] = presence.get(sighting.track, 0.0) + width
            if len(rows) >= ROWS_IN_MEMORY:
                writer.write_table(table_of(rows, _SCHEMA))
                rows.clear()
        writer.write_table(table_of(rows, _SCHEMA))
    return max(presence, key=lambda track: presence[track]) if presence else None


def _rows(frame: FrameFaces) -> Iterator[list[object]]:
    head = [frame.number, frame.source, frame.time, frame.faces]
    for sighting in frame.sightings:
        found = [sighting.track, sighting.detected, sighting.score, sighting.confidence]
        yield [*head, *found, *sighting.box, *sighting.landmarks.T.ravel()]
    if not frame.sightings:
        yield [*head, _NOBODY, False, *[np.nan] * (len(_SCHEMA) - 6)]


def table_of(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    """Rows as a Parquet library's table; none give an empty one."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def read_track(path: Path, track: int) -> Iterator[FrameFaces]:
    """Read the frames back, each with the sighting of one track or with none."""
    waiting: FrameFaces | None = None
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_IN_MEMORY):
            for frame in _frames(batch, track):
                if waiting and frame.number == waiting.number:
                    waiting = frame if frame.sightings else waiting
                    continue
                if waiting:
                    yield waiting
                waiting = frame
    if waiting:
        yield waiting


def _frames(batch: pa.RecordBatch, track: int) -> Iterator[FrameFaces]:
    column = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
    boxes = np.stack([column[name] for name in BOX_COLUMNS], axis=1).astype(float)
    points = np.stack([column[name] for name in LANDMARK_COLUMNS], axis=1).astype(float)
    points = points.reshape(-1, 2, LANDMARKS).swapaxes(1, 2)
    for row in range(batch.num_rows):
        sighting = Sighting(
            track,
            bool(column["detected"][row]),
            float(column["score"][row]),
            float(column["confidence"][row]),
            boxes[row],
            points[row],
        )
        yield FrameFaces(
            int(column["frame"][row]),
            int(column["source_frame"][row]),
            float(column["time"][row]),
            int(column["faces"][row]),
            (sighting,) if column["track"][row] == track else (),
        )
