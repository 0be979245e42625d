"""What the frames of a training were made with, and how good they were: what a run records of them."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from depression_vr.errors import UserError
from depression_vr.faces.fingerprint import differences
from depression_vr.faces.output import SUMMARY

FRAMES = "frames"
MEASURES = (
    "written_rate",
    "face_width_mean",
    "score_mean",
    "confidence_mean",
    "sharpness_mean",
    "brightness_mean",
    "yaw_mean",
    "pitch_mean",
)
"""What of a video's summary tells how good its frames are."""
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)

_THREADS = 8
_DIFFERENCES_SHOWN = 20


@dataclass(frozen=True)
class RecordedPreprocessing:
    """The preprocessing of some videos, as it is written into a run's record.

    Attributes:
        videos: how many there are.
        preprocessed: how many of them came with the summary that `preprocess` writes.
        settings: ``version``, ``tracking`` and ``crops`` as in a summary's fingerprint; None where they are
            not known, or not the same for all videos.
        differing: settings that differ between the videos, in words.
        packages: the versions with which the videos were made, by package.
        quality: of each measure, and of the number of `FRAMES`, its quantiles over the videos: their values
            by `QUANTILES` as text. A measure that no summary has is left out.
    """

    videos: int
    preprocessed: int
    settings: dict[str, Any] | None
    differing: list[str]
    packages: dict[str, list[str]]
    quality: dict[str, dict[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        content: dict[str, Any] = _RECORDED.dump_python(self)
        return content


_RECORDED = TypeAdapter(RecordedPreprocessing)


def recorded_preprocessing(folders: Sequence[Path], frames: Sequence[int]) -> RecordedPreprocessing:
    """Read the summaries that lie beside frames; nothing else is read.

    Args:
        folders: of the frames, one per video.
        frames: how many there are of each.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        summaries = [summary for summary in pool.map(read_summary, folders) if summary is not None]
    kinds = _kinds(summaries)
    differing = _differing(kinds)
    if summaries and len(summaries) < len(folders):
        differing.append(f"{len(folders) - len(summaries)} of {len(folders)} videos came without {SUMMARY}")
    alike = kinds[0][0] if kinds and not differing else None
    values: dict[str, list[float | None]] = {FRAMES: list(frames)}
    values |= {name: [summary.get(name) for summary in summaries] for name in MEASURES}
    return RecordedPreprocessing(
        videos=len(folders),
        preprocessed=len(summaries),
        settings=alike,
        differing=differing,
        packages=_packages(summaries),
        quality={
            name: _quantiles(known)
            for name, given in values.items()
            if (known := [value for value in given if value is not None])
        },
    )


def read_recorded(content: object, where: Path) -> RecordedPreprocessing | None:
    """What a run's record holds; None where it was written before such was recorded.

    Args:
        content: of the record.
        where: the record's file.

    Raises:
        UserError: it is damaged.
    """
    if content is None:
        return None
    try:
        return _RECORDED.validate_python(content)
    except ValidationError as error:
        raise UserError(
            "what the record says of the preprocessing is damaged", where=str(where), fix="use another run"
        ) from error


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The summary that lies with frames, those of an archive too; None where there is none to be read."""
    try:
        summary = json.loads((folder / SUMMARY).read_bytes())
        settings_in(summary)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return dict(summary)


def settings_in(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What of a summary's fingerprint is the same for all videos that were made alike."""
    made_from = summary["fingerprint"]
    return {
        "version": made_from["source"]["version"],
        "tracking": made_from["tracking"],
        "crops": made_from["crops"],
    }


def _kinds(summaries: Sequence[Mapping[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """The different settings that there are and how many videos have them, the most frequent first."""
    kinds: list[tuple[dict[str, Any], int]] = []
    for settings in map(settings_in, summaries):
        for place, (known, count) in enumerate(kinds):
            if settings == known:
                kinds[place] = (known, count + 1)
                break
        else:
            kinds.append((settings, 1))
    return sorted(kinds, key=lambda kind: -kind[1])


def _differing(kinds: Sequence[tuple[dict[str, Any], int]]) -> list[str]:
    """What the other settings have otherwise than the most frequent ones."""
    told = [
        f"{difference} ({kinds[0][1]} and {count} videos)"
        for other, count in kinds[1:]
        for difference in differences(kinds[0][0], other)
    ]
    return told[:_DIFFERENCES_SHOWN]


def _packages(summaries: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found = {pair for summary in summaries for pair in summary.get("packages", {}).items()}
    names = sorted({name for name, _ in found})
    return {name: sorted(version for other, version in found if other == name) for name in names}


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    found = np.quantile(np.asarray(values, float), QUANTILES)
    return {f"{quantile:g}": float(value) for quantile, value in zip(QUANTILES, found, strict=True)}
