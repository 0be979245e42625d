"""Layers that several networks are built from."""

from torch import nn


class ConvNorm(nn.Sequential):
    """3D convolution without bias, then batch norm."""

    def __init__(self, in_planes: int, out_planes: int, kernel: int, stride: int, momentum: float) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_planes, out_planes, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm3d(out_planes, momentum=momentum)


def initialise(network: nn.Module) -> None:
    """Draw the weights of all convolutions from Kaiming's normal distribution, fan-out, ReLU gain."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
