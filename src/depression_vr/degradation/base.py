"""What a degradation is: it changes which frames are shown, or their pixels."""

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class DegradedVideo:
    """What a degradation knows of the video that it degrades.

    Attributes:
        video_id: of the video.
        frames: how many it has.
        step: every how many of them a clip keeps one.
        seed: of everything random.
    """

    video_id: str
    frames: int
    step: int
    seed: int

    def generator(self, what: str, frame: int = 0) -> np.random.Generator:
        """Random numbers for one frame, or for the whole video: the same whatever came before.

        Args:
            what: they are for; not the level, so that two levels differ in nothing but the level.
            frame: its number.
        """
        key = (self.seed, zlib.crc32(self.video_id.encode()), zlib.crc32(what.encode()), frame)
        return np.random.default_rng(key)


@dataclass(frozen=True)
class Degradation:
    """One kind of degradation at one level; derived classes override `shown` or `degraded`.

    A frame is degraded alike in whatever window, batch or process it comes.

    Attributes:
        level: how much; what it counts is the class's ``unit``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str]
    wanted: ClassVar[str]
    """The levels that there are, in words."""
    identity: ClassVar[float | None]
    """The level that changes nothing, which is none of the levels; None where the scale has no such end."""
    falls: ClassVar[bool] = False
    """Whether a lower level is the worse one."""

    level: float

    def __post_init__(self) -> None:
        """Refuse other levels.

        Raises:
            ValueError: there is no such level, or it changes nothing.
        """
        if not np.isfinite(self.level) or self.level == self.identity or not self.has_level():
            raise ValueError(f"{self.name} has no level {self.level:g}: it takes {self.wanted}")

    def has_level(self) -> bool:
        """Whether the level is one; it is finite and not the identity."""
        return self.level > 0

    def shown(self, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """The frames that stand in the place of frames, both numbers ``(T,)`` in ``0..video.frames - 1``."""
        return frames

    def degraded(self, pixels: np.ndarray, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Pixels of frames, RGB ``(T, H, W, 3)``, uint8 0..255; the argument stays as it is."""
        return pixels
