"""Layers that both baselines have, in PyTorch's own modules; their parts are named as the networks' are."""

from torch import nn


def plain_stem(planes: int, time_stride: int, norm_momentum: float | None) -> nn.Sequential:
    """``(B, 3, T, H, W)`` to ``(B, planes, T/time_stride, H/4, W/4)``."""
    layers = nn.Sequential()
    layers.conv = nn.Conv3d(3, planes, 7, stride=(1, 2, 2), padding=3, bias=False)
    layers.norm = nn.BatchNorm3d(planes, momentum=norm_momentum)
    layers.relu = nn.ReLU(inplace=True)
    layers.pool = nn.MaxPool3d(3, stride=(time_stride, 2, 2), padding=1)
    return layers


def plain_conv_norm(
    in_planes: int, planes: int, kernel: int, stride: int, norm_momentum: float | None
) -> nn.Sequential:
    """Padded convolution without bias, then batch norm."""
    layers = nn.Sequential()
    layers.conv = nn.Conv3d(in_planes, planes, kernel, stride=stride, padding=kernel // 2, bias=False)
    layers.norm = nn.BatchNorm3d(planes, momentum=norm_momentum)
    return layers
