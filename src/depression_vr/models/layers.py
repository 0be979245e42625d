"""Layers that several networks are built from."""

from torch import Tensor, nn

from depression_vr.models.pooled_norm import norm_relu_pool
from depression_vr.models.stem_convolution import StemConvolution


class ConvNorm(nn.Sequential):
    """3D convolution without bias, then batch norm."""

    def __init__(self, in_planes: int, out_planes: int, kernel: int, stride: int, momentum: float) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_planes, out_planes, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm3d(out_planes, momentum=momentum)


class Stem(nn.Module):
    """Convolution, batch norm, ReLU and max pooling in front of a residual network.

    Args:
        planes: channels of its map.
        time_stride: of the pooling; strides in space make a quarter of height and width.
        norm_momentum: weight of a new batch in the running statistics, 0..1.
    """

    def __init__(self, planes: int, time_stride: int, norm_momentum: float) -> None:
        super().__init__()
        self.conv = StemConvolution(planes)
        self.norm = nn.BatchNorm3d(planes, momentum=norm_momentum)
        self.pool = nn.MaxPool3d(kernel_size=3, stride=(time_stride, 2, 2), padding=1)

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to ``(B, planes, T/time_stride, H/4, W/4)``."""
        return norm_relu_pool(self.conv(clips), self.norm, self.pool)


def initialise(network: nn.Module) -> None:
    """Draw the weights of all convolutions from Kaiming's normal distribution, fan-out, ReLU gain."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
