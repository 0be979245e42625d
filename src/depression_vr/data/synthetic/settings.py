"""What decides every pixel and score that the generator makes."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from depression_vr.data.manifest import PARTITIONS
from depression_vr.data.naming import AVEC2014_TASKS as TASKS
from depression_vr.data.synthetic.behaviour import HORIZON, draw_tracks
from depression_vr.data.synthetic.people import Recording, draw_identity, draw_recordings
from depression_vr.data.synthetic.portrait import Bytes
from depression_vr.data.synthetic.render import Framing, render_frames
from depression_vr.errors import Problem, UserError

GENERATOR_VERSION = 2
"""Raised whenever the same settings give other pixels or scores."""

DEFAULT_RECORDINGS: Mapping[str, int] = MappingProxyType({"training": 160, "development": 30, "test": 50})


@dataclass(frozen=True)
class Settings:
    """Who is in a corpus and how they are filmed.

    Attributes:
        recordings: recordings per partition, each of two tasks; a partition left out has none.
        frames: per video.
        frame_rate: frames per second.
        size: side of a frame in pixels.
        seed: any integer from 0. People and their behaviour depend on it and on ``recordings`` only, so
            they are the same people at another frame rate or size.

    Raises:
        UserError: with every setting that makes no sense.
    """

    recordings: Mapping[str, int]
    frames: int
    frame_rate: float
    size: int
    seed: int

    def __post_init__(self) -> None:
        problems = _recordings_problems(self.recordings)
        for key, value, possible, wanted in (
            ("frames", self.frames, self.frames >= 1, "at least 1"),
            ("frame_rate", self.frame_rate, self.frame_rate > 0, "above 0"),
            ("size", self.size, 16 <= self.size <= 1024, "16 to 1024 pixels"),
            ("seed", self.seed, self.seed >= 0, "at least 0"),
        ):
            if not possible:
                problems.append(Problem(key, f"is {value}, but must be {wanted}"))
        if self.frame_rate > 0 and self.frames / self.frame_rate > HORIZON:
            problems.append(Problem("frames", f"last longer than {HORIZON:g} s at this frame rate"))
        if problems:
            raise UserError("no synthetic corpus can be made with these settings:", problems=problems)

    def as_dict(self) -> dict[str, object]:
        """Plain values that are equal exactly when the pixels and scores are."""
        return {
            "generator": GENERATOR_VERSION,
            "recordings": self._counts(),
            "frames": int(self.frames),
            "frame_rate": float(self.frame_rate),
            "size": int(self.size),
            "seed": int(self.seed),
        }

    def fingerprint(self) -> str:
        """16 hexadecimal digits that name these settings."""
        return hashlib.sha256(json.dumps(self.as_dict()).encode()).hexdigest()[:16]

    def people(self) -> list[Recording]:
        """All recordings, partition by partition."""
        return draw_recordings(self._counts(), self.seed)

    def film(self, recording: Recording, task: str, framing: Framing) -> Iterator[Bytes]:
        """Render one video, frame by frame: RGB ``(size, size, 3)``, uint8 0..255."""
        identity = draw_identity(recording.subject, self.seed)
        times = np.arange(self.frames) / self.frame_rate
        tracks = draw_tracks(recording, task, identity, times, self.seed)
        sensor = np.random.default_rng((self.seed, 5, recording.subject, TASKS.index(task)))
        return render_frames(identity, tracks, framing, self.size, sensor)

    def _counts(self) -> dict[str, int]:
        return {partition: int(self.recordings.get(partition, 0)) for partition in PARTITIONS}


def _recordings_problems(recordings: Mapping[str, int]) -> list[Problem]:
    problems = [
        Problem(f"recordings.{partition}", f"is no partition; known are {', '.join(PARTITIONS)}")
        for partition in recordings
        if partition not in PARTITIONS
    ]
    problems += [
        Problem(f"recordings.{partition}", f"is {count}, but must be at least 0")
        for partition, count in recordings.items()
        if count < 0
    ]
    if not problems and not any(recordings.values()):
        problems.append(Problem("recordings", "are none"))
    return problems
