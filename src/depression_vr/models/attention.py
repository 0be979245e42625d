"""The attention modules of STA-DRN and of its ablations.

Source: Pan et al., "Spatial-Temporal Attention Network for Depression Recognition from facial videos",
Expert Systems with Applications 2023, doi 10.1016/j.eswa.2023.121410.

Every module maps ``(B, in, T, H, W)`` to ``(B, out, T/stride, H/stride, W/stride)``.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from depression_vr.models.float32 import in_float32
from depression_vr.models.grouped_convolution import GroupedConvolution


class Attention(NamedTuple):
    """What one module attends to, in 0..1; None where it has no such part.

    Attributes:
        temporal: a weight per channel and time step, ``(B, k, C / k, T)``; sums to 1 over the k groups, 2 or
            more.
        spatial: a weight per channel and position, ``(B, k, C / k, H, W)``; likewise.
    """

    temporal: Tensor | None
    spatial: Tensor | None


Seen = list[Attention] | None
"""Where modules leave what they attend to, in the order in which they compute it; None for nowhere."""


class AttentionBuilder(Protocol):
    """Builds one attention module; the residual network takes it as an argument."""

    def __call__(
        self, in_planes: int, out_planes: int, *, stride: int, groups: int, norm_momentum: float
    ) -> nn.Module:
        """Build the module for one block."""
        ...


def softmax_over_groups(logits: Tensor, groups: int) -> Tensor:
    """Softmax across the ``groups`` channels that share a position within their group.

    Channels of ``(B, C, T, H, W)`` are seen as ``(groups, C / groups)``. A single group has nothing to
    compete with and takes a sigmoid.

    Under autocast in float32, as it is on a GPU anyway: all positions that share an attention would share its
    rounding error.
    """
    logits = in_float32(logits)
    if groups == 1:
        return torch.sigmoid(logits)
    return logits.unflatten(1, (groups, -1)).softmax(dim=1).flatten(1, 2)


class GroupedFeatures(nn.Sequential):
    """Grouped 3x3x3 convolution (with bias), batch norm, ReLU."""

    def __init__(
        self, in_planes: int, out_planes: int, *, stride: int, groups: int, norm_momentum: float
    ) -> None:
        super().__init__()
        self.conv = GroupedConvolution(in_planes, out_planes, stride=stride, groups=groups)
        self.norm = nn.BatchNorm3d(out_planes, momentum=norm_momentum)
        self.relu = nn.ReLU()


class AttentionVector(nn.Module):
    """Attention over groups from features averaged over some dimensions.

    Args:
        planes: channels of the features and of the attention.
        groups: groups that compete.
        pooled: dimensions of ``(B, C, T, H, W)`` to average over: ``(3, 4)`` leaves one vector per
            time step, ``(2,)`` one map per position.
    """

    def __init__(self, planes: int, groups: int, pooled: tuple[int, ...]) -> None:
        super().__init__()
        self.groups = groups
        self.pooled = pooled
        self.logits = nn.Conv3d(planes, planes, kernel_size=1, groups=groups)

    def forward(self, features: Tensor) -> Tensor:
        """Attention in 0..1, of size 1 along the pooled dimensions."""
        # with channels last, as they are in memory, for which alone PyTorch has fast sums on a CPU
        means = features.movedim(1, 4).mean([axis - 1 for axis in self.pooled], keepdim=True).movedim(4, 1)
        return softmax_over_groups(self.logits(means), self.groups)

    def by_group(self, attention: Tensor) -> Tensor:
        """Attention group by group, ``(B, groups, C / groups, ...)``, without the pooled dimensions."""
        return attention.squeeze(self.pooled).unflatten(1, (self.groups, -1))


def weighed(features: Tensor, *attention: Tensor) -> Tensor:
    """Features times attention, in the precision of the features, with channels last in memory.

    Every position rounds by itself: what positions share is not rounded before.
    """
    last = [vector.movedim(1, 4) for vector in attention]  # for fast sums over positions in the backward pass
    z = features.movedim(1, 4)
    if len(last) == 1:
        return (z * last[0]).to(features.dtype).movedim(4, 1)
    return (z * (last[0] * last[1]).to(features.dtype)).movedim(4, 1)


OVER_SPACE = (3, 4)
OVER_TIME = (2,)


class SingleAttention(nn.Module):
    """Features weighted by one attention vector, temporal (``ta``) or spatial (``sa``)."""

    pooled: tuple[int, ...]

    def __init__(
        self, in_planes: int, out_planes: int, *, stride: int, groups: int, norm_momentum: float
    ) -> None:
        super().__init__()
        self.features = GroupedFeatures(
            in_planes, out_planes, stride=stride, groups=groups, norm_momentum=norm_momentum
        )
        self.attention = AttentionVector(out_planes, groups, self.pooled)

    def forward(self, x: Tensor, seen: Seen = None) -> Tensor:
        """Weigh the features of ``x``."""
        z = self.features(x)
        attention = self.attention(z)
        if seen is not None:
            vector = self.attention.by_group(attention)
            over_time = self.pooled == OVER_SPACE
            seen.append(Attention(vector, None) if over_time else Attention(None, vector))
        return weighed(z, attention)


class TemporalAttention(SingleAttention):
    """``ta``: one weight per channel and time step, TA-DRN of the paper."""

    pooled = OVER_SPACE


class SpatialAttention(SingleAttention):
    """``sa``: one weight per channel and position, SA-DRN of the paper."""

    pooled = OVER_TIME


class SpatialTemporalAttention(nn.Module):
    """``sta``: a temporal and a spatial module side by side, outputs added; no vector fusion."""

    def __init__(
        self, in_planes: int, out_planes: int, *, stride: int, groups: int, norm_momentum: float
    ) -> None:
        super().__init__()
        self.temporal, self.spatial = (
            module(in_planes, out_planes, stride=stride, groups=groups, norm_momentum=norm_momentum)
            for module in (TemporalAttention, SpatialAttention)
        )

    def forward(self, x: Tensor, seen: Seen = None) -> Tensor:
        """Sum of both modules."""
        if seen is None:
            return self.temporal(x) + self.spatial(x)
        parts: list[Attention] = []
        y = self.temporal(x, parts) + self.spatial(x, parts)
        seen.append(Attention(parts[0].temporal, parts[1].spatial))
        return y


class FusedSpatialTemporalAttention(nn.Module):
    """``sta_fused``: temporal and spatial vectors multiplied to one attention per pixel, STA-DRN itself."""

    def __init__(
        self, in_planes: int, out_planes: int, *, stride: int, groups: int, norm_momentum: float
    ) -> None:
        super().__init__()
        self.temporal_features, self.spatial_features = (
            GroupedFeatures(in_planes, out_planes, stride=stride, groups=groups, norm_momentum=norm_momentum)
            for _ in range(2)
        )
        self.temporal_attention = AttentionVector(out_planes, groups, OVER_SPACE)
        self.spatial_attention = AttentionVector(out_planes, groups, OVER_TIME)

    def forward(self, x: Tensor, seen: Seen = None) -> Tensor:
        """Weigh the sum of both features by the fused attention."""
        z_t, z_s = self.temporal_features(x), self.spatial_features(x)
        z = z_t + z_s
        temporal, spatial = self.temporal_attention(z_t), self.spatial_attention(z_s)
        if seen is not None:
            over_time = self.temporal_attention.by_group(temporal)
            seen.append(Attention(over_time, self.spatial_attention.by_group(spatial)))
        # (B, C, T, 1, 1) * (B, C, 1, H, W) -> (B, C, T, H, W)
        return weighed(z, temporal, spatial)


ATTENTION: dict[str, AttentionBuilder] = {
    "ta": TemporalAttention,
    "sa": SpatialAttention,
    "sta": SpatialTemporalAttention,
    "sta_fused": FusedSpatialTemporalAttention,
}
