"""Who is who from one searched frame to the next: the face that continues a track, by place and size."""

from dataclasses import dataclass, field

import numpy as np

from depression_vr.faces.tracking.track_table import Sighting

MOST_TRACKS = 16
"""As many people are remembered, the most present ones; the rest are doubtful faces of single frames."""

_LARGEST_SIZE_RATIO = 1.6
_MOVING_SECONDS = 1.0


@dataclass
class Track:
    """One person.

    Attributes:
        number: of the track, from 0.
        last: where the person was seen last.
        seen_at: when that was, seconds.
        detected_at: time of the last detection, seconds.
        thumbnail: the face at the last detection, for comparison.
        sightings: how often seen.
    """

    number: int
    last: Sighting
    seen_at: float
    detected_at: float
    thumbnail: np.ndarray
    sightings: int = 1

    def go_on_as(self, walker: "Track") -> None:
        """Take over where a copy of this track has got to."""
        self.last, self.seen_at = walker.last, walker.seen_at
        self.detected_at, self.thumbnail = walker.detected_at, walker.thumbnail


@dataclass
class Tracks:
    """The people of a video so far.

    Attributes:
        visible: those seen in the frame that was searched last.
        remembered: those who were seen before.
    """

    visible: list[Track] = field(default_factory=list)
    remembered: list[Track] = field(default_factory=list)
    _begun: int = 0

    def begin(self) -> int:
        """A number for a new track."""
        self._begun += 1
        return self._begun - 1

    def settle(self, visible: list[Track]) -> None:
        """Take over who is visible now; the others are remembered, the most present ones."""
        gone = [track for track in self.visible if track not in visible]
        remembered = [track for track in (*self.remembered, *gone) if track not in visible]
        remembered.sort(key=lambda track: -track.sightings)
        self.visible, self.remembered = visible, remembered[:MOST_TRACKS]


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes ``(x0, y0, x1, y1)``, 0..1.

    >>> overlap(np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2])) == 1 / 3
    True
    """
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    union = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2])) - common
    return common / union if union > 0 else 0.0


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Between the middles of two boxes, pixels.

    >>> distance(np.array([0, 0, 2, 2]), np.array([3, 4, 5, 6]))
    5.0
    """
    return float(np.linalg.norm((first[:2] + first[2:] - second[:2] - second[2:]) / 2))


def is_near(box: np.ndarray, last: np.ndarray, seconds: float) -> bool:
    """Whether a face may be one that was seen elsewhere some time ago: of like size, and not too far away.

    That is one width of the face, and two more for each second that it had to move in. After more than a
    second it must be back in its place: a width is all.
    """
    widths = box[2] - box[0], last[2] - last[0]
    reach = 1 + 2 * seconds if seconds <= _MOVING_SECONDS else 1
    return bool(
        distance(box, last) <= reach * max(widths) and max(widths) <= _LARGEST_SIZE_RATIO * min(widths)
    )


def pair(tracks: list[np.ndarray], faces: list[np.ndarray], least: float) -> list[tuple[int, int]]:
    """Pairs ``(track, face)`` of boxes that overlap by at least ``least``, the most overlapping first.

    No track and no face is in two pairs.
    """
    candidates = [
        (overlap(track, face), row, column)
        for row, track in enumerate(tracks)
        for column, face in enumerate(faces)
    ]
    pairs: list[tuple[int, int]] = []
    for share, row, column in sorted(candidates, key=lambda candidate: -candidate[0]):
        if share >= least and all(row != taken and column != given for taken, given in pairs):
            pairs.append((row, column))
    return pairs
