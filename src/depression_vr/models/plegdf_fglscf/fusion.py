"""FGLSCF: one semantics from the features of both streams, and the plainer ways that it is compared with.

Source: see the package.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Stream = Literal["global", "local"]


class Gates(NamedTuple):
    """The gates of `fglscf`, in 0..1; of features that are not negative, as behind a ReLU, in 0.5..1.

    Attributes:
        correlation: w, ``(B, D)``: how far each feature of the whole face agrees with the local one.
        semantics: v, ``(B, D)``: how much of each fused feature counts.
    """

    correlation: Tensor
    semantics: Tensor


def fglscf(global_features: Tensor, local_features: Tensor, seen: list[Gates] | None = None) -> Tensor:
    """Fused global-local semantic correlation features, ``(B, D)`` from twice ``(B, D)``; all elementwise.

    Of global features g and local features l: ``w = sigmoid(g l)``, ``g' = (1 + w) g``,
    ``v = sigmoid((g' + l)(g' + g))``, ``f = v (g' + l) + v (g' + g)``. The gates go to ``seen``.
    """
    w = torch.sigmoid(global_features * local_features)
    correlated = (1 + w) * global_features
    with_local, with_global = correlated + local_features, correlated + global_features
    v = torch.sigmoid(with_local * with_global)
    if seen is not None:
        seen.append(Gates(w, v))
    return v * (with_local + with_global)


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
        gated: whether it has gates, which ``combine`` leaves in a list where it is given one.
    """

    combine: Callable[..., Tensor]
    streams: tuple[Stream, ...] = ("global", "local")
    width: int = 1
    gated: bool = False


FUSIONS = {
    "fglscf": Fusion(fglscf, gated=True),
    "concat": Fusion(concat, width=2),
    "sum": Fusion(torch.add),
    "global_only": Fusion(alone, ("global",)),
    "local_only": Fusion(alone, ("local",)),
}
