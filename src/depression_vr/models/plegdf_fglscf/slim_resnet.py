"""The slim 3D ResNet-50 of both streams.

Source: the laboratory's public material, see the package; its bottlenecks are those of Hara et al., "Can
Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?", CVPR 2018.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models.layers import ConvNorm, Stem

EXPANSION = 4


class Convolution3x3x3(nn.Conv3d):
    """Padded 3x3x3 convolution without bias that leaves out what meets no time step.

    Of the last maps of a short clip a single step comes out. All other steps of the kernel then lie in the
    padding, two thirds of its work and of its weight's gradient.
    """

    def __init__(self, planes: int, stride: int) -> None:
        super().__init__(planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)

    def kernel_on(self, x: Tensor) -> tuple[int, ...]:
        """Size of the part of the kernel that meets time steps of ``(B, C, T, H, W)``."""
        steps = x.shape[2]
        return self.kernel_size if steps > self.stride[0] else (steps, *self.kernel_size[1:])

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        """Convolve with any weight; torch's layer and `models.arithmetic` come here."""
        # an exported graph is one for all numbers of steps
        if torch.compiler.is_exporting() or self.kernel_on(input) == self.kernel_size:
            return super()._conv_forward(input, weight, bias)
        steps, *_ = self.kernel_on(input)
        return functional.conv3d(input, weight[:, :, 1 : 1 + steps], bias, self.stride, padding=(0, 1, 1))


class ConvNorm3x3x3(nn.Sequential):
    """That convolution, then batch norm."""

    def __init__(self, planes: int, stride: int, norm_momentum: float) -> None:
        super().__init__()
        self.conv = Convolution3x3x3(planes, stride)
        self.norm = nn.BatchNorm3d(planes, momentum=norm_momentum)


class Bottleneck(nn.Module):
    """1x1x1, 3x3x3 and 1x1x1 convolution, added to the shortcut."""

    def __init__(self, in_planes: int, planes: int, *, stride: int, norm_momentum: float) -> None:
        super().__init__()
        out_planes = EXPANSION * planes
        self.reduce = ConvNorm(in_planes, planes, 1, 1, norm_momentum)
        self.conv = ConvNorm3x3x3(planes, stride, norm_momentum)
        self.expand = ConvNorm(planes, out_planes, 1, 1, norm_momentum)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_planes != out_planes:
            self.shortcut = ConvNorm(in_planes, out_planes, 1, stride, norm_momentum)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in, T, H, W)`` to ``(B, 4 * planes, T/stride, H/stride, W/stride)``."""
        z = self.relu(self.reduce(x))
        z = self.relu(self.conv(z))
        return self.relu(self.expand(z).add_(self.shortcut(x)))


class SlimResNet3d(nn.Module):
    """Stem, bottleneck stages and an average over all positions.

    Stage i has planes F, 2F, 4F, ... and strides 1, 2, 2, ... in time and space.

    Args:
        base_planes: width F, also of the stem; 32 is half of a ResNet-50's.
        layers: blocks per stage.
        norm_momentum: weight of a new batch in the running statistics, 0..1.
        enhancements: modules behind stages, 1 the first; they keep the shape of the stage's maps.
    """

    def __init__(
        self,
        base_planes: int,
        layers: Sequence[int],
        norm_momentum: float,
        enhancements: Mapping[int, nn.Module],
    ) -> None:
        super().__init__()
        self.stem = Stem(base_planes, 2, norm_momentum)
        self.stages = nn.ModuleList()
        width = base_planes
        for stage, depth in enumerate(layers):
            planes = base_planes * 2**stage
            blocks = nn.Sequential()
            for position in range(depth):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(Bottleneck(width, planes, stride=stride, norm_momentum=norm_momentum))
                width = EXPANSION * planes
            self.stages.append(blocks)
        self.enhancements = nn.ModuleList(
            enhancements.get(stage, nn.Identity()) for stage in range(1, len(layers) + 1)
        )

    def forward(self, clips: Tensor, seen: Mapping[int, list[Tensor]] | None = None) -> Tensor:
        """Features ``(B, 4 * planes of the last stage)`` of clips ``(B, 3, T, H, W)``.

        What enhancements weigh maps with goes to ``seen``, by stage, where they have a place in it.
        """
        x = self.stem(clips)
        for stage, (blocks, enhancement) in enumerate(zip(self.stages, self.enhancements, strict=True), 1):
            x = blocks(x)
            x = enhancement(x, seen[stage]) if seen and stage in seen else enhancement(x)
        return x.mean((2, 3, 4))
