"""When a video gets no estimate: too little of a face, or one that training never saw the like of."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.data.clips import ClipShape
from depression_vr.faces.fingerprint import differences
from depression_vr.faces.recorded import FRAMES, QUANTILES, RecordedPreprocessing, settings_in
from depression_vr.predicting.inputs import ReadyVideo

_WIDTH = "face_width_mean"
_ANGLES = ("yaw_mean", "pitch_mean")
_SHARPNESS = "sharpness_mean"
_TWO_SIDED = (_SHARPNESS, "brightness_mean", *_ANGLES)  # noise is sharp
_CHECKED = {
    FRAMES: ("frames with the face", ""),
    "written_rate": ("share of the frames that show the face", ""),
    _WIDTH: ("width of the face in the video", "pixels"),
    "score_mean": ("detection score", ""),
    "confidence_mean": ("confidence of the landmarks", ""),
    _SHARPNESS: ("sharpness of the face", "variance of the Laplacian"),
    "brightness_mean": ("brightness of the face", "mean luma, 0 to 255"),
    "yaw_mean": ("turn of the head to the side, yaw", "degrees"),
    "pitch_mean": ("turn of the head up, pitch", "degrees"),
}
"""What is checked, in words, and its unit."""


def _recorded_quantile(quantile: float) -> float:
    possible = [recorded for recorded in QUANTILES if recorded < 0.5]
    if quantile not in possible:
        raise ValueError(f"use one of {', '.join(map(str, possible))}, which runs record")
    return quantile


@dataclass(frozen=True)
class Limits:
    """From where on a video is declined.

    Attributes:
        least_frames: fewer distinct frames are too few; None for those of one clip, or, where training saw
            shorter videos, for their `quantile`.
        least_face_width: a narrower face is too small, in pixels of the video, whatever training saw.
        quantile: of the training videos, which bounds what training saw; at the upper end 1 - quantile.
        margin: by which share a video may lie outside these bounds; of sharpness, a variance, the square
            root may.
        angle_margin: by how many degrees the head's turn may.
        other_settings: decline frames that were made with other settings than those of the training.
    """

    least_frames: PositiveInt | None
    least_face_width: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    quantile: Annotated[float, AfterValidator(_recorded_quantile)]
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    angle_margin: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    other_settings: bool


@dataclass(frozen=True)
class Check:
    """One measure of a video, and where it has to lie.

    Attributes:
        measure: in words.
        unit: of it; may be empty.
        value: of the video.
        low: the least that is accepted; None for no bound.
        high: likewise.
    """

    measure: str
    unit: str
    value: float
    low: float | None
    high: float | None

    @property
    def passed(self) -> bool:
        """Whether it lies within."""
        return not (self._is_low or self._is_high)

    @property
    def _is_low(self) -> bool:
        return self.low is not None and not self.value >= self.low

    @property
    def _is_high(self) -> bool:
        return self.high is not None and self.value > self.high

    def __str__(self) -> str:
        bound = f"at least {self.low:.4g}" if self._is_low else f"at most {self.high:.4g}"
        return (
            f"{self.measure}: {self.value:.4g}{' ' * bool(self.unit)}{self.unit}, where {bound} is accepted"
        )


def checks(
    video: ReadyVideo, usable: int, shape: ClipShape, recorded: RecordedPreprocessing | None, limits: Limits
) -> Iterator[Check]:
    """Everything that is known of a video's frames, with its bounds.

    Measures are compared with the training's only where the frames were made alike.

    Args:
        video: with its frames.
        usable: how many of them are of use.
        shape: of the network's clips.
        recorded: what is known of the training videos.
        limits: how much is accepted.
    """
    quality = recorded.quality if recorded is not None else {}
    yield Check(*_CHECKED[FRAMES], usable, _least_frames(shape, quality, limits), None)
    if video.summary is None:
        return
    comparable = not other_settings(video, recorded)
    for name, value in video.summary.items():
        if name not in _CHECKED or name == FRAMES or value is None:
            continue
        low, high = _bounds(name, quality.get(name) if comparable else None, limits)
        yield Check(*_CHECKED[name], float(value), low, high)


def unchecked(video: ReadyVideo, recorded: RecordedPreprocessing | None) -> list[str]:
    """Measures, in words, that a summary of an earlier version lacks and that would have been checked."""
    if video.summary is None:
        return []
    known = {_WIDTH} | (recorded.quality.keys() if recorded is not None else set())
    return [
        words
        for name, (words, _) in _CHECKED.items()
        if name in known - {FRAMES} and name not in video.summary
    ]


def other_settings(video: ReadyVideo, recorded: RecordedPreprocessing | None) -> list[str]:
    """What of the frames' settings is otherwise than in training, in words; nothing where it is not known."""
    if recorded is None or recorded.settings is None or video.summary is None:
        return []
    return list(map(str, differences(recorded.settings, settings_in(video.summary))))


def _least_frames(shape: ClipShape, quality: Mapping[str, Any], limits: Limits) -> int:
    if limits.least_frames is not None:
        return limits.least_frames
    of_a_clip = (shape.length - 1) * shape.step + 1
    return min(of_a_clip, int(quality[FRAMES][f"{limits.quantile:g}"])) if FRAMES in quality else of_a_clip


def _bounds(name: str, seen: Mapping[str, float] | None, limits: Limits) -> tuple[float | None, float | None]:
    least = limits.least_face_width if name == _WIDTH else None
    if seen is None:
        return least, None
    low, high = seen[f"{limits.quantile:g}"], seen[f"{1 - limits.quantile:g}"]
    if name in _ANGLES:
        low, high = low - limits.angle_margin, high + limits.angle_margin
    elif name == _SHARPNESS:
        low, high = low * max(0, 1 - limits.margin) ** 2, high * (1 + limits.margin) ** 2
    else:
        low, high = low - limits.margin * abs(low), high + limits.margin * abs(high)
    return low if least is None else max(low, least), high if name in _TWO_SIDED else None
