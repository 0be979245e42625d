"""The first convolution of a network, which sees three channels."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models import winograd
from depression_vr.models.cpu import takes_cpu_form
from depression_vr.models.float32 import autocasts

_TAPS = 8  # of the kernel along a row: one more than it has, so that each position begins at an even pixel


class StemConvolution(nn.Conv3d):
    """``(B, 3, T, H, W)`` to ``(B, planes, T, ceil(H/2), ceil(W/2))``: kernel 7, stride 2 in space, no bias.

    In bfloat16 on a CPU the pixels of a row that the kernel sees together become channels: oneDNN's kernels
    for three channels waste most of what bfloat16 could gain. In float32 there, Winograd's filtering takes a
    quarter of the multiplications, for outputs and for the weight's gradient, with the rounding errors that
    `winograd` gives, where clips fill its tiles.
    """

    def __init__(self, planes: int) -> None:
        super().__init__(3, planes, kernel_size=7, stride=(1, 2, 2), padding=3, bias=False)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        """Convolve with any weight; torch's layer and `models.arithmetic` come here."""
        if autocasts(input.device):
            input = input.to(torch.get_autocast_dtype(input.device.type))  # noqa: A001
        if not takes_cpu_form(input):
            return super()._conv_forward(input, weight, bias)
        fills_tiles = input.dim() == 5 and winograd.fills_tiles(input.shape[2])
        if fills_tiles and bias is None and input.dtype == weight.dtype == torch.float32:
            filtered: Tensor = _Filtered.apply(input, weight)
            return filtered.movedim(4, 1)
        if input.dtype != torch.bfloat16:
            return super()._conv_forward(input, weight, bias)
        taps = row_taps(input)
        return functional.conv3d(taps, tap_kernel(weight), bias, stride=(1, 2, 1), padding=(3, 3, 0))


def row_taps(x: Tensor) -> Tensor:
    """``(B, C, T, H, W)`` to ``(B, 8C, T, H, ceil(W/2))``: the 8 pixels from 2w - 3 on as channels of w."""
    padded = functional.pad(x, (3, 3 + x.shape[4] % 2)).movedim(1, 4)
    # (B, T, H, ceil(W/2), C, 8) -> channels last in memory; what neighbours share is copied
    return padded.unfold(3, _TAPS, 2).transpose(4, 5).flatten(4).contiguous().movedim(4, 1)


def tap_kernel(weight: Tensor) -> Tensor:
    """The weight for `row_taps`: ``(planes, C, 7, 7, 7)`` to ``(planes, 8C, 7, 7, 1)``."""
    return functional.pad(weight, (0, 1)).permute(0, 4, 1, 2, 3).flatten(1, 2).unsqueeze(4)


class _Filtered(torch.autograd.Function):
    """To ``(B, T, H, W, planes)``. What vmap and forward-mode differentiation ask for is not written."""

    @staticmethod
    def forward(clips: Tensor, weight: Tensor) -> Tensor:
        kernels, y = winograd.point_kernels(weight), clips.new_empty(_size(clips, weight))
        for some, frames, seen in winograd.parts(clips):
            y[some, frames] = winograd.convolved(seen, kernels)[:, : y.shape[1] - frames.start]
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        clips, weight = ctx.saved_tensors
        of_clips, of_weight = ctx.needs_input_grad
        again = torch.is_grad_enabled()  # what is to be differentiated again comes from PyTorch's own
        plain = of_clips, of_weight and again, False
        geometry: Any = (1, 2, 2), (3, 3, 3), (1, 1, 1), False, (0, 0, 0), 1
        gradient = gradients[0].movedim(4, 1)
        found = torch.ops.aten.convolution_backward(gradient, clips, weight, None, *geometry, plain)
        if of_weight and not again:
            return found[0], _weight_gradient(clips, weight, gradients[0])
        return found[0], found[1]


def _size(clips: Tensor, weight: Tensor) -> tuple[int, ...]:
    """Of what comes out, channels last."""
    height, width = (-(-side // 2) for side in clips.shape[3:])
    return len(clips), clips.shape[2], height, width, len(weight)


def _weight_gradient(clips: Tensor, weight: Tensor, gradient: Tensor) -> Tensor:
    total = weight.new_zeros(winograd.SEEN, *weight[:, :, 0].shape, dtype=torch.float64)
    with torch.autocast("cpu", enabled=False):
        for some, frames, seen in winograd.parts(clips):
            total += winograd.weight_gradients(seen, gradient[some, frames], weight.shape[3:])
    return winograd.of_weight(total).to(weight)
