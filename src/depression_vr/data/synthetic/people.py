"""Who is in the corpus: partitions, scores, and what tells one person from another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from depression_vr.data.synthetic.shapes import IDENTITY_SHAPES

BEHAVIOURS = ("head", "smile", "mouth", "blink", "gaze")
HIGHEST_SCORE = 45

_FIRST_SUBJECT = 203
_LEVEL_SPREAD = 0.12
_SCORE_NOISE = 2.5
# Kumaraswamy's distribution on 0..1 with mean 1/3 and standard deviation 0.267: 45 times it is AVEC's
# spread of scores (mean 15, deviation 12), many low and a long tail.
_SCORE_SHAPE = (0.75, 1.39)


@dataclass(frozen=True)
class Recording:
    """One recording session of one subject; its tasks share everything that is said here.

    Attributes:
        partition: ``training``, ``development`` or ``test``.
        subject: subject number.
        levels: how depressed each of the `BEHAVIOURS` is, shape ``(5,)``, about -0.3 (lively) to 1.3.
        score: the label, an integer 0..45.
    """

    partition: str
    subject: int
    levels: npt.NDArray[np.float64]
    score: int

    @property
    def name(self) -> str:
        """Subject and session, as AVEC names a recording: ``203_1``."""
        return f"{self.subject}_1"

    @property
    def oracle_score(self) -> float:
        """The score that the behaviour stands for: 45 times the mean level. The label is this plus noise."""
        return float(np.clip(HIGHEST_SCORE * self.levels.mean(), 0, HIGHEST_SCORE))


@dataclass(frozen=True)
class Identity:
    """How a person and the room look, independent of the score.

    Attributes:
        shape: amounts of the identity shapes in standard deviations, ``(IDENTITY_SHAPES,)``.
        skin, hair: colour gains of skin and of everything else on the person, RGB ``(3,)``.
        scale: size of the face in the frame, about 1.
        offset: where the head sits, photo pixels ``(2,)``.
        light: gain RGB ``(3,)``; slope: change of the gain from one side of the frame to the other ``(2,)``.
        flicker: how far the lamp's gain swings; noise: deviation of the sensor's, in 0..255.
        shake: amplitude of the camera's motion in photo pixels.
        background: coarse colours of the room, ``(5, 5, 3)``, 0..255.
    """

    shape: npt.NDArray[np.float64]
    skin: npt.NDArray[np.float64]
    hair: npt.NDArray[np.float64]
    scale: float
    offset: npt.NDArray[np.float64]
    light: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]
    flicker: float
    noise: float
    shake: float
    background: npt.NDArray[np.float64]


def draw_recordings(counts: Mapping[str, int], seed: int) -> list[Recording]:
    """All recordings, one per subject, so that no subject is in two partitions.

    Args:
        counts: recordings per partition.
        seed: the corpus's seed.
    """
    recordings: list[Recording] = []
    subject = _FIRST_SUBJECT
    for number, (partition, count) in enumerate(counts.items()):
        rng = np.random.default_rng((seed, 1, number))
        for oracle in _spread_scores(count, rng):
            deviations = _LEVEL_SPREAD * rng.standard_normal(len(BEHAVIOURS))
            levels = oracle + deviations - deviations.mean()
            noisy = HIGHEST_SCORE * oracle + _SCORE_NOISE * rng.standard_normal()
            score = int(np.clip(np.rint(noisy), 0, HIGHEST_SCORE))
            recordings.append(Recording(partition, subject, levels, score))
            subject += 1
    return recordings


def _spread_scores(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw mean levels 0..1, one from each equal part of their distribution, in random order."""
    quantiles = (rng.permutation(count) + rng.random(count)) / max(count, 1)
    a, b = _SCORE_SHAPE
    return np.asarray((1 - (1 - quantiles) ** (1 / b)) ** (1 / a))


def draw_identity(subject: int, seed: int) -> Identity:
    """What a subject and the room look like."""
    rng = np.random.default_rng((seed, 2, subject))
    tone = rng.uniform(0.65, 1.05)
    warmth = np.array([1.0, 1.0 - 0.25 * (1.1 - tone), 1.0 - 0.4 * (1.1 - tone)])
    wall = rng.uniform(60, 200) + rng.normal(0, 20, 3)
    return Identity(
        shape=np.clip(rng.standard_normal(IDENTITY_SHAPES), -1.8, 1.8),
        skin=tone * warmth * rng.uniform(0.96, 1.04, 3),
        hair=rng.uniform(0.4, 1.1) * rng.uniform(0.92, 1.08, 3),
        scale=rng.uniform(0.94, 1.08),
        offset=rng.normal(0, 2.0, 2),
        light=rng.uniform(0.85, 1.12) * rng.uniform(0.95, 1.05, 3),
        slope=rng.uniform(-0.18, 0.18, 2),
        flicker=0.02 * np.exp(0.8 * rng.standard_normal()),
        noise=rng.uniform(1.0, 2.5),
        shake=1.1 * np.exp(0.7 * rng.standard_normal()),
        background=np.clip(wall + rng.normal(0, 18, (5, 5, 3)), 5, 250),
    )
