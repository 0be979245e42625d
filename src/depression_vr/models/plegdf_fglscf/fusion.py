"""FGLSCF: one semantics from the features of both streams, and the plainer ways that it is compared with.

Source: see the package.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Stream = Literal["global", "local"]


def fglscf(global_features: Tensor, local_features: Tensor) -> Tensor:
    """Fused global-local semantic correlation features, ``(B, D)`` from twice ``(B, D)``; all elementwise.

    Of global features g and local features l: ``w = sigmoid(g l)``, ``g' = (1 + w) g``,
    ``v = sigmoid((g' + l)(g' + g))``, ``f = v (g' + l) + v (g' + g)``.
    """
    correlated = (1 + torch.sigmoid(global_features * local_features)) * global_features
    with_local, with_global = correlated + local_features, correlated + global_features
    return torch.sigmoid(with_local * with_global) * (with_local + with_global)


def concat(global_features: Tensor, local_features: Tensor) -> Tensor:
    """Both side by side, ``(B, 2D)`` from twice ``(B, D)``."""
    return torch.cat([global_features, local_features], dim=1)


def alone(features: Tensor) -> Tensor:
    """The features of the only stream."""
    return features


@dataclass(frozen=True)
class Fusion:
    """A way to one vector of features.

    Attributes:
        combine: of the features ``(B, D)`` of every stream.
        streams: that it needs, in the order of ``combine``.
        width: features that come out, in D.
    """

    combine: Callable[..., Tensor]
    streams: tuple[Stream, ...] = ("global", "local")
    width: int = 1


FUSIONS = {
    "fglscf": Fusion(fglscf),
    "concat": Fusion(concat, width=2),
    "sum": Fusion(torch.add),
    "global_only": Fusion(alone, ("global",)),
    "local_only": Fusion(alone, ("local",)),
}
