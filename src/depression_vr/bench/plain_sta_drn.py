"""The baseline of STA-DRN: the network as the paper describes it, layer after layer, in PyTorch's modules.

Names and shapes of its parameters and buffers are those of `StaDrn`, in whatever form that computes.
"""

from torch import Tensor, nn

from depression_vr.bench.plain_layers import plain_conv_norm, plain_stem
from depression_vr.models.sta_drn import StaDrn

_OVER_SPACE = (3, 4)
_OVER_TIME = (2,)


def plain(network: StaDrn) -> nn.Module:
    """The twin of a network: the same weights, statistics, precision and mode, contiguous in memory."""
    twin = _PlainStaDrn(network).to(network.head.weight.dtype)
    twin.load_state_dict(network.state_dict())
    return twin.train(network.training)


class _PlainStaDrn(nn.Module):
    """``(B, 3, T, H, W)`` to y ``(B,)``, without dropout."""

    def __init__(self, like: StaDrn) -> None:
        super().__init__()
        self.stem = plain_stem(64, 1, like.norm_momentum)
        self.stages = nn.Sequential()
        width = 64
        for stage, depth in enumerate(like.layers):
            planes = like.base_planes * 2**stage
            blocks = nn.Sequential()
            for position in range(depth * like.groups):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(_Bottleneck(width, planes, stride, like))
                width = 4 * planes
            self.stages.append(blocks)
        self.head = nn.Linear(width, 1)

    def forward(self, clips: Tensor) -> Tensor:
        features = self.stages(self.stem(clips)).mean((2, 3, 4))
        y: Tensor = self.head(features).squeeze(1)
        return y


class _Bottleneck(nn.Module):
    def __init__(self, in_planes: int, planes: int, stride: int, like: StaDrn) -> None:
        super().__init__()
        self.reduce = plain_conv_norm(in_planes, planes, 1, 1, like.norm_momentum)
        self.attention = _ATTENTION[like.attention](planes, stride, like)
        self.norm = nn.BatchNorm3d(planes, momentum=like.norm_momentum)
        self.expand = plain_conv_norm(planes, 4 * planes, 1, 1, like.norm_momentum)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_planes != 4 * planes:
            self.shortcut = plain_conv_norm(in_planes, 4 * planes, 3, stride, like.norm_momentum)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        z = self.relu(self.reduce(x))
        z = self.relu(self.norm(self.attention(z)))
        return self.relu(self.expand(z) + self.shortcut(x))


class _Features(nn.Sequential):
    def __init__(self, planes: int, stride: int, like: StaDrn) -> None:
        super().__init__()
        self.conv = nn.Conv3d(planes, planes, 3, stride=stride, padding=1, groups=like.groups)
        self.norm = nn.BatchNorm3d(planes, momentum=like.norm_momentum)
        self.relu = nn.ReLU(inplace=True)


class _Vector(nn.Module):
    def __init__(self, planes: int, groups: int, pooled: tuple[int, ...]) -> None:
        super().__init__()
        self.pooled = pooled
        self.logits = nn.Conv3d(planes, planes, 1, groups=groups)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.logits(features.mean(self.pooled, keepdim=True))
        if self.logits.groups == 1:
            return logits.sigmoid()
        return logits.unflatten(1, (self.logits.groups, -1)).softmax(dim=1).flatten(1, 2)


class _Single(nn.Module):
    pooled: tuple[int, ...]

    def __init__(self, planes: int, stride: int, like: StaDrn) -> None:
        super().__init__()
        self.features = _Features(planes, stride, like)
        self.attention = _Vector(planes, like.groups, self.pooled)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.features(x)
        return z * self.attention(z)


class _Temporal(_Single):
    pooled = _OVER_SPACE


class _Spatial(_Single):
    pooled = _OVER_TIME


class _Sum(nn.Module):
    def __init__(self, planes: int, stride: int, like: StaDrn) -> None:
        super().__init__()
        self.temporal = _Temporal(planes, stride, like)
        self.spatial = _Spatial(planes, stride, like)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.temporal(x) + self.spatial(x)
        return y


class _Fused(nn.Module):
    def __init__(self, planes: int, stride: int, like: StaDrn) -> None:
        super().__init__()
        self.temporal_features = _Features(planes, stride, like)
        self.spatial_features = _Features(planes, stride, like)
        self.temporal_attention = _Vector(planes, like.groups, _OVER_SPACE)
        self.spatial_attention = _Vector(planes, like.groups, _OVER_TIME)

    def forward(self, x: Tensor) -> Tensor:
        z_t, z_s = self.temporal_features(x), self.spatial_features(x)
        attention = self.temporal_attention(z_t) * self.spatial_attention(z_s)
        y: Tensor = attention * (z_t + z_s)
        return y


_ATTENTION = {"ta": _Temporal, "sa": _Spatial, "sta": _Sum, "sta_fused": _Fused}
