"""The stages of networks, whose maps explanations are read from."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

FINE = 6
"""Positions that a map must have each way to tell the parts of a face apart."""


@runtime_checkable
class HasStages(Protocol):
    """A network that says where its maps are; one of a user's own may, too."""

    def stages_by_view(self) -> tuple[tuple[nn.Module, ...], ...]:
        """For each view the modules whose outputs are maps ``(B, C, T, H, W)``, in their order."""
        ...


def chosen_stage(maps: Mapping[int, Tensor], stage: int | None) -> int:
    """The stage to read.

    Args:
        maps: ``(..., H, W)`` by stage, 1 the first; not of every one, perhaps.
        stage: the wanted one; None for the last one whose maps have `FINE` x `FINE` positions or more, or
            else the first.
    """
    fine = [number for number, each in maps.items() if min(each.shape[-2:]) >= FINE]
    return stage or max(fine, default=min(maps))


def numbers(network: nn.Module) -> tuple[int, ...]:
    """The numbers of the stages that every view of a network has, but for views that it does not use."""
    if not isinstance(network, HasStages):
        return ()
    lengths = [len(stages) for stages in network.stages_by_view() if stages]
    return tuple(range(1, min(lengths, default=0) + 1))
