"""Which degradations at which levels a network is to be tested under."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from depression_vr.degradation.alignment import Scale, Shift, Turn
from depression_vr.degradation.base import Degradation
from depression_vr.degradation.frame_order import DroppedFrames, FrameRate
from depression_vr.degradation.occlusion import CoveredEyes, CoveredMouth, Occlusion
from depression_vr.degradation.pixels import Blur, Brightness, Jpeg, Noise
from depression_vr.errors import Problem, UserError

DEGRADATIONS: Mapping[str, type[Degradation]] = {
    kind.name: kind
    for kind in (
        Noise, Blur, Brightness, Jpeg, CoveredEyes, CoveredMouth, FrameRate, DroppedFrames,
        Shift, Turn, Scale,
    )
}  # fmt: skip
"""By name, in the order in which they are shown."""
CLEAN = "none"
"""Stands for frames as they are."""


class Condition(NamedTuple):
    """A degradation at a level, or none at all.

    Attributes:
        degradation: its name, or `CLEAN`.
        level: None of `CLEAN`.
    """

    degradation: str
    level: float | None

    @property
    def file(self) -> str:
        """The name of the file of its predictions."""
        level = "" if self.level is None else f"_{self.level!r}".removesuffix(".0")
        return f"{self.degradation}{level}.csv"

    def __str__(self) -> str:
        return self.degradation if self.level is None else f"{self.degradation} {self.level:g}"

    def made(self, face: np.ndarray) -> Degradation | None:
        """The degradation; None of `CLEAN`.

        Args:
            face: where it lies in the frames, as `Occlusion` takes it.

        Raises:
            ValueError: it has no such level.
        """
        if self.level is None:
            return None
        kind = DEGRADATIONS[self.degradation]
        return kind(self.level, face) if issubclass(kind, Occlusion) else kind(self.level)


def conditions_of(names: Sequence[str] | None, levels: Mapping[str, Sequence[float]]) -> list[Condition]:
    """`CLEAN`, then every level once, the lowest first, in the order of `DEGRADATIONS`.

    Args:
        names: of degradations; all where None.
        levels: by name.

    Raises:
        UserError: there is no such degradation or level, or none is wanted.
    """
    names = [*DEGRADATIONS] if names is None else names
    unknown = [name for name in names if name not in DEGRADATIONS]
    if unknown or not names:
        raise UserError(
            f"there is no degradation {' and no degradation '.join(unknown)}".rstrip(),
            where="config key degradations",
            fix=f"choose from {', '.join(DEGRADATIONS)}",
        )
    wanted = [
        Condition(name, level)
        for name in DEGRADATIONS
        if name in names
        for level in sorted(set(levels[name]), reverse=DEGRADATIONS[name].falls)
    ]
    empty = [Problem(f"config key levels.{name}", "is empty") for name in names if not levels[name]]
    problems = [*empty, *_problems(wanted)]
    if problems:
        raise UserError("levels were refused:", problems=problems, fix="correct the values")
    return [Condition(CLEAN, None), *wanted]


def _problems(conditions: Sequence[Condition]) -> list[Problem]:
    problems = []
    for condition in conditions:
        try:
            condition.made(np.zeros((3, 2)))
        except ValueError as error:
            problems.append(Problem(f"config key levels.{condition.degradation}", str(error)))
    return problems
