"""The names of a video's frames, in little memory where they are numbered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

_MOST_DIGITS = 9  # of numbers that fit into 32 bits


class FrameNames(Protocol):
    """File names in order, as bytes; a NumPy array of them is one too."""

    def __len__(self) -> int: ...

    def __getitem__(self, frame: int, /) -> Any:
        """One name, bytes."""

    def tolist(self) -> Any:
        """All names, a list of bytes."""


@dataclass(frozen=True, eq=False, slots=True)
class NumberedNames:
    """Names that differ in a number of fixed width alone, such as ``frame_000001.jpg``.

    They cost memory for every gap in the numbers and none for a frame.

    Attributes:
        before: what stands in front of the number.
        after: what stands behind it.
        digits: width of the number.
        runs: first frame and first number of every run of consecutive numbers, ``(2, runs)``, int32.
        frames: how many names there are.
    """

    before: bytes
    after: bytes
    digits: int
    runs: np.ndarray
    frames: int

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, frame: int) -> bytes:
        place = range(self.frames)[frame]
        frames, numbers = self.runs
        run = np.searchsorted(frames, place, side="right") - 1
        return b"%b%0*d%b" % (self.before, self.digits, numbers[run] + place - frames[run], self.after)

    def tolist(self) -> list[bytes]:
        """All names, a list of bytes."""
        frames, numbers = self.runs
        number = np.arange(self.frames) + np.repeat(numbers - frames, np.diff(frames, append=self.frames))
        name = self.before + b"0" * self.digits + self.after
        characters = np.tile(np.frombuffer(name, np.uint8), (self.frames, 1))
        for digit in range(self.digits):
            column = len(self.before) + self.digits - 1 - digit
            characters[:, column] = ord("0") + number // 10**digit % 10
        listed: list[bytes] = characters.view(f"S{len(name)}").ravel().tolist()
        return listed


def compact_names(names: Sequence[bytes]) -> FrameNames:
    """The names of a video's frames, sorted: numbered ones as `NumberedNames`, others as an array."""
    array = np.array(names, dtype=np.bytes_)
    characters = array.view(np.uint8).reshape(len(array), array.itemsize)
    if len(array) < 2 or not characters.all():  # a shorter name is filled up with zeros
        return array
    varying = np.flatnonzero((characters != characters[0]).any(axis=0))
    if not len(varying):  # the same name again and again
        return array
    field = slice(varying[0], varying[-1] + 1)
    figures = characters[:, field].astype(np.int32) - ord("0")
    digits = figures.shape[1]
    if digits > _MOST_DIGITS or figures.min() < 0 or figures.max() > 9:
        return array
    number = figures @ 10 ** np.arange(digits - 1, -1, -1, dtype=np.int32)
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 2) != 1)
    runs = np.stack([first, number[first]]).astype(np.int32)
    name = bytes(array[0])
    return NumberedNames(name[: field.start], name[field.stop :], digits, runs, len(array))
