"""What intervals are computed from: how wrong a network was on videos that it was not trained on."""

import hashlib
import math
from dataclasses import asdict
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

from depression_vr.errors import UserError
from depression_vr.files import write_json
from depression_vr.intervals.conformal import conformal_intervals, fewest, kth
from depression_vr.runs.in_words import counted, percent
from depression_vr.runs.run import Run

CONFIDENCE = 0.9
"""Of the intervals, where nothing else is asked for."""
Kind = Literal["standard", "normalised"]
_FEW = 30
_Finite = Annotated[NonNegativeFloat, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Clips:
    """How windows were cut and read when the network was calibrated.

    Attributes:
        length: frames per clip, T.
        step: every how many frames of a video one is kept.
        size: height and width of what the network sees, in pixels.
        read_at: the resolution at which frames were read.
        regions: top, bottom, left and right of each view, 0..1.
        mean: that was subtracted from red, green and blue, 0..1.
        std: by which they were divided, 0..1.
    """

    length: PositiveInt
    step: PositiveInt
    size: tuple[PositiveInt, PositiveInt]
    read_at: str
    regions: tuple[tuple[float, float, float, float], ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """Errors and spreads of calibration videos; of no confidence in particular, and naming nobody.

    There is one video of each subject, for what is true of a new subject is learnt from subjects: another
    video of a known one is not independent of the first (Dunn et al., JASA 2023, "subsampling once").

    Attributes:
        corpus: where the videos are from.
        dataset: its fingerprint.
        partition: of the videos.
        videos: how many the partition has; one of each subject counts.
        selected_on: whether the checkpoint was selected on them; None where that is not known, nor perhaps
            whether the network was trained on them.
        maximum: highest score of the scale.
        weights: digest of the network's weights and its scale.
        clips: how the windows were cut.
        residuals: absolute errors of the videos' scores in points, ascending, ``(n,)``.
        spreads: standard deviation of the scores of each video's windows in points, ``(n,)``.
    """

    corpus: str
    dataset: str
    partition: str
    videos: PositiveInt
    selected_on: bool | None
    maximum: PositiveFloat
    weights: str
    clips: Clips
    residuals: Annotated[tuple[_Finite, ...], Field(min_length=1)]
    spreads: tuple[_Finite, ...]

    @model_validator(mode="after")
    def _refuse_unequal_lengths(self) -> Self:
        if len(self.residuals) != len(self.spreads):
            raise ValueError("there are not as many spreads as residuals")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of all of it: the same where the same intervals come out."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()

    @property
    def subjects(self) -> int:
        """How many subjects there are, n."""
        return len(self.residuals)

    @property
    def beta(self) -> float:
        """What is added to a spread, in points: the median spread of the calibration videos.

        A video of one window has the spread 0, and its interval is not 0 wide but half as wide as that of the
        median video. Where most videos have one window it is 1, and where all have, intervals are of one
        width.
        """
        return float(np.median(self.spreads)) or 1.0

    def remarks(self, confidence: float) -> tuple[str, ...]:
        """What one has to know of intervals of a confidence, between 0 and 1, that rest on it."""
        remarks = [
            f"the confidence is that of a subject and a video drawn as those of {self.corpus}, "
            f"{self.partition} partition, were: not of other cameras, faces or people"
        ]
        if self.selected_on:
            remarks.append("the checkpoint was selected on these videos: fewer of others can be covered")
        elif self.selected_on is None:
            remarks.append(
                "whether the network was trained on these videos, or its checkpoint selected on them, is not "
                "known: if so, fewer of others are covered"
            )
        if self.subjects == self.videos:
            remarks.append(
                "every video counts as a subject of its own: if some are of one person, fewer scores are "
                "covered"
            )
        if self.too_few(confidence) is None and self.is_few:
            remarks.append(
                f"{self.counted} are few: what intervals of {percent(confidence)} really cover varies by "
                f"{self.deviation(confidence):.0%} (standard deviation) from calibration to calibration"
            )
        return tuple(remarks)

    @property
    def counted(self) -> str:
        """How many count, in words: subjects, or videos where each is the only one of its subject."""
        return counted(self.subjects, "video" if self.subjects == self.videos else "subject")

    @property
    def is_few(self) -> bool:
        """Whether there are so few subjects that coverage can be far from the confidence."""
        return self.subjects < _FEW

    def deviation(self, confidence: float) -> float:
        """Standard deviation of the coverage, 0..1, over calibrations with as many subjects as this one.

        Given one calibration, the coverage of new videos follows a beta distribution (Vovk, ACML 2012).
        """
        covered = kth(confidence, self.subjects)
        left = self.subjects + 1 - covered
        return math.sqrt(covered * left / ((self.subjects + 1) ** 2 * (self.subjects + 2)))

    def too_few(self, confidence: float) -> str | None:
        """Why there are no intervals of this confidence; None where there are."""
        needed = fewest(confidence)
        if self.subjects >= needed:
            return None
        return (
            f"the {self.partition} partition of {self.corpus} has {counted(self.subjects, 'subject')}, and "
            f"intervals of {percent(confidence)} take {needed}"
        )

    def interval(
        self, estimates: np.ndarray, spreads: np.ndarray, confidence: float, kind: Kind = "standard"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Intervals for the scores of videos.

        Args:
            estimates: of the videos, in points, ``(m,)``.
            spreads: of the scores of their windows, in points, ``(m,)``.
            confidence: between 0 and 1.
            kind: ``standard``, all of one width; ``normalised``, as wide as spread and `beta` together say.

        Returns:
            Lower and upper ends in points, ``(m,)`` each; the whole scale where `too_few` gives a reason.
        """
        return self._interval(estimates, spreads, confidence, kind, self.maximum)

    def half_widths(self, spreads: np.ndarray, confidence: float, kind: Kind = "standard") -> np.ndarray:
        """How far the ends of `interval` are from the estimates before they are cut, in points, ``(m,)``."""
        return self._interval(np.zeros(len(spreads)), spreads, confidence, kind, math.inf)[1]

    def _interval(
        self, estimates: np.ndarray, spreads: np.ndarray, confidence: float, kind: Kind, maximum: float
    ) -> tuple[np.ndarray, np.ndarray]:
        known = np.asarray(self.spreads)
        return conformal_intervals(
            np.asarray(self.residuals),
            estimates,
            confidence=confidence,
            maximum=maximum,
            difficulties=(known + self.beta, spreads + self.beta) if kind == "normalised" else None,
        )


def read_calibration(run: Run) -> Calibration | None:
    """The calibration that is stored with a run; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    try:
        content = run.calibration_file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return TypeAdapter(Calibration).validate_json(content)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise UserError(
            f"the calibration of the run is damaged: {f'{where}: ' if where else ''}{wrong['msg']}",
            where=str(run.calibration_file),
            fix=f"make it again: python -m depression_vr.calibrate run='{run.folder}'",
        ) from error


def write_calibration(run: Run, calibration: Calibration) -> None:
    """Store a calibration with a run."""
    write_json(run.calibration_file, {"remarks": calibration.remarks(CONFIDENCE), **asdict(calibration)})
