"""The attention that a network computed in the windows of one video, as numbers to show."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.attention import Attention
from depression_vr.models.plegdf_fglscf.network import Related
from depression_vr.models.sta_drn import Attended

BINS = np.linspace(0, 1, 41)
"""Edges of the bins that gates are counted in."""


@dataclass(frozen=True, eq=False)
class StaAttention:
    """Attention of STA-DRN or one of its ablations by stage, 1 the first; means over channels and blocks.

    Attributes:
        groups: k; with 2 or more, the groups' attention sums to 1 everywhere.
        temporal: ``(windows, k, T')`` of every stage; empty where the network has none.
        spatial: ``(k, H', W')`` of every stage, mean over windows; empty where the network has none.
    """

    groups: int
    temporal: dict[int, np.ndarray]
    spatial: dict[int, np.ndarray]

    @classmethod
    def of(cls, module: ScoreRegression, windows: Iterable[tuple[Tensor, ...]]) -> "StaAttention":
        """Of a network with such attention, from the views of windows, ``(1, 3, T, h, w)``."""
        found: list[Attended] = _attended(module, windows)
        temporal, spatial = (_by_stage([window.stages for window in found], part) for part in _PARTS)
        groups: Any = module.network.groups
        return cls(groups, temporal, {stage: maps.mean(0) for stage, maps in spatial.items()})

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, rounded to 5 digits."""
        return {"groups": self.groups, "temporal": _plain(self.temporal), "spatial": _plain(self.spatial)}


@dataclass(frozen=True, eq=False)
class PlegdfAttention:
    """Relations and gates of PLEGDF-FGLSCF.

    Attributes:
        relations: ``(H', W')`` of every related stage, mean over time and windows.
        over_time: ``(windows, T')`` of every related stage, mean over positions.
        gates: how many features of all windows have a gate in each of the `BINS`, by gate; empty where
            the fusion has none.
    """

    relations: dict[int, np.ndarray]
    over_time: dict[int, np.ndarray]
    gates: dict[str, np.ndarray]

    @classmethod
    def of(cls, module: ScoreRegression, windows: Iterable[tuple[Tensor, ...]]) -> "PlegdfAttention":
        """Of such a network, from the views of windows, ``(1, 3, T, h, w)`` each."""
        found: list[Related] = _attended(module, windows)
        maps = {
            stage: _array(torch.stack([window.relations[stage][0, 0] for window in found]))
            for stage in sorted(found[0].relations)
        }
        gates = [window.gates for window in found if window.gates is not None]
        values = {name: torch.cat([getattr(each, name) for each in gates]) for name in _GATES if gates}
        return cls(
            {stage: weights.mean((0, 1)) for stage, weights in maps.items()},
            {stage: weights.mean((2, 3)) for stage, weights in maps.items()},
            {name: np.histogram(_array(found), BINS)[0] for name, found in values.items()},
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, rounded to 5 digits."""
        return {
            "relations": _plain(self.relations),
            "relations_over_time": _plain(self.over_time),
            "gates": {name: counts.tolist() for name, counts in self.gates.items()},
        }


_Part = Literal["temporal", "spatial"]
_PARTS: tuple[_Part, _Part] = ("temporal", "spatial")
_GATES = ("correlation", "semantics")


def _attended(module: ScoreRegression, windows: Iterable[tuple[Tensor, ...]]) -> list[Any]:
    with torch.no_grad():
        return [module.network(*views, with_attention=True) for views in windows]


def _by_stage(windows: list[tuple[tuple[Attention, ...], ...]], part: _Part) -> dict[int, np.ndarray]:
    """``(windows, k, ...)`` of every stage, mean over blocks and channels."""
    means = {}
    for number, stage in enumerate(zip(*windows, strict=True), 1):
        blocks = [[getattr(block, part) for block in window] for window in stage]
        if blocks[0][0] is not None:
            means[number] = _array(torch.stack([torch.cat(window).mean((0, 2)) for window in blocks]))
    return means


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()


def _plain(arrays: dict[int, np.ndarray]) -> dict[str, Any]:
    return {f"stage {stage}": array.astype(float).round(5).tolist() for stage, array in arrays.items()}
