"""What every way of explaining takes and gives."""

from typing import NamedTuple

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor


@dataclass(frozen=True)
class Settings:
    """Of the ways to explain.

    Attributes:
        stage: of the network whose maps are read, 1 the first; None for the last one with maps of 6x6
            positions or more, or else the first.
        steps: of integrated gradients.
        at_once: clips that integrated gradients pass through the network together.
    """

    stage: PositiveInt | None = None
    steps: PositiveInt = 32
    at_once: PositiveInt = 4


class ViewMaps(NamedTuple):
    """How important every place of a network's views is.

    Attributes:
        maps: one per view, ``(B, T, h, w)``.
        missed: by how many points the sum misses the whole, ``(B,)``; None where there is none.
    """

    maps: tuple[Tensor, ...]
    missed: Tensor | None = None
