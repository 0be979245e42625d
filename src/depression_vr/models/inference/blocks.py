"""Blocks of convolutions that have their batch norms in them."""

import torch
from torch import Tensor, nn

from depression_vr.models.attention import AttentionVector, softmax_over_groups
from depression_vr.models.inference.convolution import FoldedConvolution


class FoldedBlock(nn.Module):
    """Residual block: ``relu(last(before(x)) + shortcut(x))``.

    Args:
        before: everything up to the last convolution.
        last: with the addition and ReLU in it.
        shortcut: beside them.

    Attributes:
        owns_input: whether nobody needs the input afterwards, so that it may become the output.
    """

    def __init__(self, before: nn.Module, last: FoldedConvolution, shortcut: nn.Module) -> None:
        super().__init__()
        self.before, self.last, self.shortcut = before, last, shortcut
        self.owns_input = False

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in, T, H, W)`` to ``(B, out, T/stride, H/stride, W/stride)``."""
        z, added = self.before(x), self.shortcut(x)
        y: Tensor = self.last(z, added if self.owns_input or added is not x else added.clone())
        return y


class JoinedAttention(nn.Module):
    """`FusedSpatialTemporalAttention` with the features of both branches from one grouped convolution.

    Args:
        features: to channels ``(groups, 2, C / groups)``, temporal and spatial ones of every group.
        temporal: attention from the temporal features.
        spatial: attention from the spatial ones.
    """

    sum_of_both: Tensor

    def __init__(
        self, features: FoldedConvolution, temporal: AttentionVector, spatial: AttentionVector
    ) -> None:
        super().__init__()
        self.features, self.temporal, self.spatial = features, temporal, spatial
        planes = temporal.logits.out_channels
        both = torch.eye(planes).unflatten(0, (features.groups, 1, -1)).expand(-1, 2, -1, -1).flatten(0, 2)
        self.register_buffer("sum_of_both", both.to(features.weight))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh the sum of both features by the fused attention."""
        z = self.features(x).movedim(1, 4)  # (B, T, H, W, 2C), as it lies in memory
        # sums over one axis, with all behind it in a row, are what PyTorch has a fast kernel for
        over_rows, over_steps = _sum(z.flatten(3), 2), _sum(z.flatten(2), 1)
        over_space = self._branch(over_rows.unflatten(2, z.shape[3:]).sum(2), 0) / (z.shape[2] * z.shape[3])
        over_time = self._branch(over_steps.unflatten(1, z.shape[2:]), 1) / z.shape[1]
        of_steps = _attention(self.temporal, over_space[:, :, None, None])
        of_positions = _attention(self.spatial, over_time[:, None])
        weighed = z @ self.sum_of_both  # exact: every sum has two terms
        # every position rounds by itself: what positions share is not rounded before
        return weighed.mul_((of_steps * of_positions).to(z.dtype)).movedim(4, 1)

    def _branch(self, z: Tensor, branch: int) -> Tensor:
        """``(..., 2C)`` to the ``(..., C)`` of one branch."""
        return z.unflatten(-1, (self.features.groups, 2, -1)).select(-2, branch).flatten(-2)


def _sum(z: Tensor, axis: int) -> Tensor:
    """In float32 at least; bfloat16 is rounded before, float16 would overflow."""
    total = z.sum(axis, dtype=torch.float32 if z.dtype == torch.float16 else None)
    return total.to(torch.promote_types(z.dtype, torch.float32))


def _attention(vector: AttentionVector, means: Tensor) -> Tensor:
    """``(B, T, H, W, C)`` to attention alike."""
    return softmax_over_groups(vector.logits(means.movedim(4, 1)), vector.groups).movedim(1, 4)
