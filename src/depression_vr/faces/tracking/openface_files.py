"""The landmarks that OpenFace (Baltrusaitis et al., FG 2018) wrote for a video."""

import csv
import glob
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depression_vr.faces.landmarks import LANDMARKS

_X = [f"x_{point}" for point in range(LANDMARKS)]
_Y = [f"y_{point}" for point in range(LANDMARKS)]
_NEEDED = ["frame", "timestamp", "confidence", "success", *_X, *_Y]
_NAMED_AT_MOST = 4


class LandmarkFileError(Exception):
    """What is wrong with the landmarks of one video: one clause that names the file, and the line."""


@dataclass(frozen=True)
class OpenFaceRow:
    """One face in one frame.

    Attributes:
        frame: counts the decoded frames from 1.
        face: OpenFace's number for the person; 0 in its output for single faces.
        time: seconds since the start of the video.
        confidence: 0..1.
        landmarks: ``(68, 2)``, float64. OpenFace counts pixels as OpenCV does, from the centre of the first.
    """

    frame: int
    face: int
    time: float
    confidence: float
    landmarks: np.ndarray


def landmark_file(folder: Path, video: Path, video_id: str) -> Path:
    """The file of a video: ``<video_id>.csv``, or else the one named as the video, at any depth.

    Raises:
        LandmarkFileError: there is none, or more than one.
    """
    by_id = folder / f"{video_id}.csv"
    if by_id.is_file():
        return by_id
    name = f"{video.stem}.csv"
    found = sorted(path for path in folder.rglob(glob.escape(name)) if path.is_file())
    if not found:
        names = " or ".join(dict.fromkeys([f"{video_id}.csv", f"**/{name}"]))
        raise LandmarkFileError(f"{folder} has no {names}")
    if len(found) > 1:
        raise LandmarkFileError(
            f"{folder} has {len(found)} files {name}: "
            + _some([str(path.relative_to(folder)) for path in found])
        )
    return found[0]


def landmark_rows(path: Path, min_confidence: float) -> Iterator[OpenFaceRow]:
    """The rows with a face that was tracked with enough confidence, in the order of the file.

    Args:
        path: a CSV file of FeatureExtraction or FaceLandmarkVidMulti.
        min_confidence: rows below it are left out.

    Raises:
        LandmarkFileError: the file cannot be read, is not OpenFace's, has a broken row or goes back in time.
    """
    previous = 0
    for line, fields in _records(path):
        try:
            frame = _whole(fields["frame"])
            row = _row(frame, fields, min_confidence)
        except ValueError as error:
            raise LandmarkFileError(f"{path}, line {line}: {error}") from error
        if frame < previous:
            raise LandmarkFileError(f"{path}, line {line}: frame {frame} comes after {previous}")
        previous = frame
        if row is not None:
            yield row


def _row(frame: int, fields: Mapping[str, str], min_confidence: float) -> OpenFaceRow | None:
    if frame < 1:
        raise ValueError(f"frame {frame}, but OpenFace counts from 1")
    confidence = _number(fields["confidence"])
    if _number(fields["success"]) != 1 or not confidence >= min_confidence:
        return None
    landmarks = np.array([[_number(fields[name]) for name in names] for names in (_X, _Y)]).T
    if not np.isfinite(landmarks).all():
        return None
    face, time = _whole(fields.get("face_id", "0")), _number(fields["timestamp"])
    return OpenFaceRow(frame, face, time, confidence, landmarks)


def _records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The fields of each line by their names, with the number of the line; one line at a time."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            names = [name.strip() for name in next(reader, [])]
            _require_columns(path, names)
            for fields in reader:
                if fields and len(fields) != len(names):
                    raise LandmarkFileError(
                        f"{path}, line {reader.line_num}: {len(fields)} columns instead of {len(names)}"
                    )
                if fields:
                    yield reader.line_num, dict(zip(names, fields, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise LandmarkFileError(f"{path} cannot be read: {reason}") from error


def _require_columns(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise LandmarkFileError(f"{path} is no CSV file of OpenFace: it lacks the columns {_some(missing)}")


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {rest} more" if rest > 0 else "")


def _number(text: str) -> float:
    # OpenFace for Windows writes -nan(ind)
    return math.nan if "nan" in text.lower() else float(text)


def _whole(text: str) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError(f"{text} is not a whole number")
    return int(number)
