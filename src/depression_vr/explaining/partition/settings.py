"""What is to be done for a partition."""

from typing import Annotated

from omegaconf import DictConfig
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.face_places import face_places
from depression_vr.keys import keys_of

_Fraction = Annotated[float, Field(ge=0, le=1)]
_Place = tuple[_Fraction, _Fraction]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sanity:
    """The sanity checks.

    Attributes:
        videos: over so many videos of the partition, spread over their scores.
        blocks: in so many blocks, along time, rows and columns, a clip is replaced.
        orders: random orders of blocks that every order by importance stands against.
    """

    videos: NonNegativeInt
    blocks: tuple[PositiveInt, PositiveInt, PositiveInt]
    orders: PositiveInt


@dataclass(frozen=True)
class PartitionSettings:
    """What is looked at in all videos of a partition.

    Attributes:
        partition: its name.
        windows: at most so many of each video, spread evenly; all where None.
        face: left eye, right eye and mouth in the frames, ``(x, y)`` as fractions; None where the
            corpus says.
        resamples: of the bootstrap.
        sanity: the sanity checks.
        seed: of random orders and weights.
    """

    partition: str
    windows: PositiveInt | None
    face: tuple[_Place, _Place, _Place] | None
    resamples: PositiveInt
    sanity: Sanity
    seed: NonNegativeInt

    @classmethod
    def of(cls, config: DictConfig) -> "PartitionSettings":
        """Those of a command's config.

        Raises:
            pydantic.ValidationError: a setting is refused.
            UserError: the places of eyes and mouth make no face.
        """
        wanted = keys_of(config, cls)
        if wanted.face is not None:
            face_places(wanted.face, corpus="")  # refuses them before anything is looked at
        return wanted
