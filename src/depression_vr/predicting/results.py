"""What is said of a video, and the files that say it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from textwrap import indent
from typing import Any, Literal

import pandas as pd
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from depression_vr.data.naming import read_name
from depression_vr.files import json_text, replacing, write_csv, write_json
from depression_vr.predicting.declining import Check
from depression_vr.predicting.inputs import PREDICTIONS
from depression_vr.runs.bands import NO_DIAGNOSIS

_VIDEO = "prediction.json"
_PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class WindowScore:
    """One window of a video.

    Attributes:
        window: its number, from 0.
        first_frame: of the frames that there are, from 0.
        last_frame: likewise.
        begins: seconds; None where times are not known.
        ends: likewise.
        estimate: points.
    """

    window: int
    first_frame: int
    last_frame: int
    begins: float | None
    ends: float | None
    estimate: float


@dataclass(frozen=True)
class Estimate:
    """The estimate for a video.

    Attributes:
        score: points, the mean over the windows.
        band: BDI-II's severity band; None on another scale.
        spread: standard deviation of the windows' scores, points.
        confidence: of the intervals, 0..1; None where there are none.
        low: of the interval of one width for all videos, points; None where there is none.
        high: likewise.
        low_normalised: of the interval that is wider where the windows' scores are spread, points.
        high_normalised: likewise.
        interval_note: why there is no interval, or why it may not hold; None where nothing speaks against it.
        windows: their scores.
    """

    score: float
    band: str | None
    spread: float
    confidence: float | None
    low: float | None
    high: float | None
    low_normalised: float | None
    high_normalised: float | None
    interval_note: str | None
    windows: tuple[WindowScore, ...]


@dataclass(frozen=True)
class Prediction:
    """What became of a video.

    Attributes:
        video_id: names it.
        source: what was given.
        status: ``scored``; ``declined``, which is a result; ``failed``, where the video cannot be used.
        reasons: why there is no estimate.
        notes: what one has to know of the estimate.
        usable_frames: frames with the face that could be read, as far as that was tried.
        checks: what was measured of the frames.
        estimate: None where there is none.
    """

    video_id: str
    source: str
    status: Literal["scored", "declined", "failed"]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    usable_frames: int = 0
    checks: tuple[Check, ...] = ()
    estimate: Estimate | None = None

    @property
    def page(self) -> str:
        """Where its page is, below the output folder; those without frames have none."""
        return f"videos/{self.video_id}/{_PAGE}"


_PREDICTION = TypeAdapter(Prediction)


def write_prediction(out: Path, prediction: Prediction, made_from: Mapping[str, Any]) -> None:
    """Write ``videos/<video_id>/prediction.json``, which says that this video is done."""
    content = {"note": NO_DIAGNOSIS, **_plain(prediction), "made_from": made_from}
    write_json((out / prediction.page).with_name(_VIDEO), content)


def finished_prediction(out: Path, video_id: str, made_from: Mapping[str, Any]) -> Prediction | None:
    """The prediction that an earlier call has finished from just the same; None where there is none."""
    try:
        content = json.loads((out / "videos" / video_id / _VIDEO).read_bytes())
        made_before, _ = content.pop("made_from"), content.pop("note")
        return _PREDICTION.validate_python(content) if made_before == made_from else None
    except (OSError, ValueError, KeyError, ValidationError):
        return None


def write_predictions(out: Path, predictions: Sequence[Prediction], facts: Mapping[str, Any]) -> None:
    """Write ``predictions.json`` and ``predictions.csv``, a row per video.

    Args:
        out: the folder.
        predictions: of all videos.
        facts: what they were made with.
    """
    begun = json_text({"note": NO_DIAGNOSIS, **facts}).removesuffix("\n}")
    # not all at once: of 10,000 videos it takes gigabytes
    with replacing(out / f"{PREDICTIONS}.json") as file:
        file.write(f'{begun},\n  "videos": ['.encode())
        for number, prediction in enumerate(predictions):
            video = indent(json_text(_plain(prediction)), "    ")
            file.write(f"{',' if number else ''}\n{video}".encode())
        file.write(b"\n  ]\n}\n")
    write_csv(out / f"{PREDICTIONS}.csv", pd.DataFrame([_row(each) for each in predictions], dtype=object))


def _plain(prediction: Prediction) -> dict[str, Any]:
    content: dict[str, Any] = _PREDICTION.dump_python(prediction, mode="json")
    return content


def _row(prediction: Prediction) -> dict[str, Any]:
    intervals = ("low", "high", "low_normalised", "high_normalised", "confidence", "interval_note")
    estimate, named = prediction.estimate, read_name(PurePosixPath(prediction.video_id))
    return {
        "video_id": prediction.video_id,
        "recording": named.recording,
        "task": named.task,
        "status": prediction.status,
        "estimate": None if estimate is None else estimate.score,
        **{name: getattr(estimate, name, None) for name in ("band", *intervals, "spread")},
        "windows": len(estimate.windows) if estimate else 0,
        "usable_frames": prediction.usable_frames,
        "reason": "; ".join(prediction.reasons),
        "note": NO_DIAGNOSIS,
    }
