"""Convolutions in groups of few channels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models.cpu import takes_cpu_form
from depression_vr.models.float32 import autocasts

_FEW = 16  # channels that oneDNN's kernels take at a time


class GroupedConvolution(nn.Conv3d):
    """Grouped 3x3x3 convolution with bias.

    In bfloat16 on a CPU, groups of few channels are computed as one convolution of all channels with a weight
    that is 0 between groups: oneDNN's kernels would be as far from full with them, and slower.
    """

    def __init__(self, in_planes: int, out_planes: int, *, stride: int, groups: int) -> None:
        super().__init__(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, groups=groups)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        """Convolve with any weight; torch's layer and `models.arithmetic` come here."""
        half = torch.get_autocast_dtype("cpu") if autocasts(input.device) else input.dtype
        if half != torch.bfloat16 or weight.shape[1] >= _FEW or self.groups == 1 or not takes_cpu_form(input):
            return super()._conv_forward(input, weight, bias)
        return functional.conv3d(input, _dense(weight, self.groups), bias, self.stride, self.padding)


def _dense(weight: Tensor, groups: int) -> Tensor:
    """``(out, in / groups, 3, 3, 3)`` to ``(out, in, 3, 3, 3)``."""
    blocks = weight.unflatten(0, (groups, -1)).movedim(0, -1)
    return torch.diag_embed(blocks, dim1=0, dim2=2).flatten(2, 3).flatten(0, 1)
