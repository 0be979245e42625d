"""STA-DRN: a bottleneck residual network of 3D convolutions with attention inside every block.

Source: Pan et al., doi 10.1016/j.eswa.2023.121410, and the authors' public release, with which outputs,
gradients and parameter counts agree.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple, cast, overload

from torch import Tensor, nn

from depression_vr.models.attention import ATTENTION, Attention, AttentionBuilder, Seen
from depression_vr.models.float32 import Float32Linear
from depression_vr.models.forked import forked
from depression_vr.models.layers import ConvNorm, Stem, initialise

EXPANSION = 4
STEM_PLANES = 64


class Bottleneck(nn.Module):
    """1x1x1 convolution, attention module, 1x1x1 convolution, added to the shortcut."""

    def __init__(
        self,
        attention: AttentionBuilder,
        in_planes: int,
        planes: int,
        *,
        stride: int,
        groups: int,
        norm_momentum: float,
    ) -> None:
        super().__init__()
        out_planes = EXPANSION * planes
        self.reduce = ConvNorm(in_planes, planes, 1, 1, norm_momentum)
        self.attention = attention(planes, planes, stride=stride, groups=groups, norm_momentum=norm_momentum)
        self.norm = nn.BatchNorm3d(planes, momentum=norm_momentum)
        self.expand = ConvNorm(planes, out_planes, 1, 1, norm_momentum)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_planes != out_planes:
            self.shortcut = ConvNorm(in_planes, out_planes, 3, stride, norm_momentum)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, seen: Seen = None) -> Tensor:
        """``(B, in, T, H, W)`` to ``(B, 4 * planes, T/stride, H/stride, W/stride)``."""
        x, skipped = forked(x)
        z = self.relu(self.reduce(x))
        z = self.attention(z) if seen is None else self.attention(z, seen)
        z = self.relu(self.norm(z))
        return self.relu(self.expand(z) + self.shortcut(skipped))


class Blocks(nn.Sequential):
    """Blocks, or stages of them, one after the other."""

    def forward(self, x: Tensor, seen: Seen = None) -> Tensor:
        """The map behind the last one."""
        for part in self:
            x = part(x) if seen is None else part(x, seen)
        return x


class Attended(NamedTuple):
    """What a network puts out, and what it attended to.

    Attributes:
        y: one unbounded number per clip, ``(B,)``.
        stages: attention of the blocks of every stage.
    """

    y: Tensor
    stages: tuple[tuple[Attention, ...], ...]


class StaDrn(nn.Module):
    """STA-DRN and, by ``attention``, its ablations.

    Args:
        attention: ``sta_fused`` (STA-DRN), ``sta`` (no vector fusion), ``ta`` (temporal only) or ``sa``
            (spatial only).
        base_planes: width F; the stages have planes F, 2F, 4F, 8F.
        layers: blocks per stage and group; stage i has ``layers[i] * groups`` blocks.
        groups: k, the groups of convolutions and attention.
        dropout: probability before the linear layer, 0..1.
        norm_momentum: weight of a new batch in the running statistics, 0..1.

    Raises:
        ValueError: an unknown attention, or planes that the groups do not divide.
    """

    def __init__(
        self,
        attention: str = "sta_fused",
        base_planes: int = 16,
        layers: Sequence[int] = (2, 2, 2, 2),
        groups: int = 2,
        dropout: float = 0.0,
        norm_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.attention, self.base_planes, self.layers = attention, base_planes, tuple(layers)
        self.groups, self.norm_momentum = groups, norm_momentum
        if attention not in ATTENTION:
            raise ValueError(f"attention={attention!r} is unknown; known are {', '.join(ATTENTION)}")
        if groups < 1 or base_planes < 1 or base_planes % groups:
            raise ValueError(f"base_planes={base_planes} is not a positive multiple of groups={groups}")
        if not layers or min(layers) < 1:
            raise ValueError(f"layers={list(layers)} must be one number of 1 or more per stage")
        block = partial(Bottleneck, ATTENTION[attention], groups=groups, norm_momentum=norm_momentum)
        self.stem = Stem(STEM_PLANES, 1, norm_momentum)
        self.stages = Blocks()
        width = STEM_PLANES
        for stage, depth in enumerate(layers):
            planes = base_planes * 2**stage
            blocks = Blocks()
            for position in range(depth * groups):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(block(width, planes, stride=stride))
                width = EXPANSION * planes
            self.stages.append(blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = Float32Linear(width, 1)
        initialise(self)

    @overload
    def forward(self, clips: Tensor) -> Tensor: ...

    @overload
    def forward(self, clips: Tensor, *, with_attention: Literal[True]) -> Attended: ...

    def forward(self, clips: Tensor, *, with_attention: bool = False) -> Tensor | Attended:
        """One unbounded number per clip.

        Args:
            clips: ``(B, 3, T, H, W)``, normalised; any T, H and W.
            with_attention: whether to give the attention that it computes on the way, too.

        Returns:
            y, shape ``(B,)``. The release reads it as BDI-II = 63 * relu(y).
        """
        seen: Seen = [] if with_attention else None
        features = self.stages(self.stem(clips), seen).mean((2, 3, 4))  # (B, 4 * 8F)
        y = self.head(self.dropout(features)).squeeze(1)
        if seen is None:
            return y
        blocks = iter(seen)
        return Attended(y, tuple(tuple(islice(blocks, len(cast(Blocks, stage)))) for stage in self.stages))

    def stages_by_view(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The stages of the only view; the output of each is a map."""
        return (tuple(self.stages),)
