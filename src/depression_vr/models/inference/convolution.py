"""Convolution, batch norm, addition and ReLU in one."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.nn.utils.parametrize import is_parametrized

from depression_vr.models.cpu import takes_cpu_form
from depression_vr.models.float32 import autocasts

CHANNELS_LAST = torch.channels_last_3d
_OWN = "depression_vr."


class Folded(NamedTuple):
    """A convolution that does what it and its batch norm do in evaluation.

    Attributes:
        weight: ``(out, in / groups, kt, kh, kw)``, channels last in memory.
        bias: ``(out,)``.
        stride: as the other settings, those of the convolution.
        padding: with zeros.
        groups: of channels.
    """

    weight: Tensor
    bias: Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    groups: int


def folded(convolution: object, norm: object) -> Folded | None:
    """Fold a batch norm into the convolution in front of it, in float64.

    Weight and bias have the precision of the convolution's, or under autocast that of autocast.

    Args:
        convolution: any layer.
        norm: any layer.

    Returns:
        None where these are not layers of which it is certain that they can be folded.
    """
    if not isinstance(convolution, nn.Conv3d) or not isinstance(norm, _BatchNorm):
        return None
    if not _is_plain(convolution) or not _normalises_plainly(norm) or norm.training:
        return None
    if norm.running_mean is None or norm.running_var is None:
        return None
    bias, scale, shift = (
        None if part is None else part.detach().double()
        for part in (convolution.bias, norm.weight, norm.bias)
    )
    weight, mean, variance = (
        part.detach().double() for part in (convolution.weight, norm.running_mean, norm.running_var)
    )
    device = convolution.weight.device
    dtype = torch.get_autocast_dtype(device.type) if autocasts(device) else convolution.weight.dtype
    kernel, offset = fuse_conv_bn_weights(weight, bias, mean, variance, norm.eps, scale, shift)
    return Folded(
        kernel.detach().to(dtype, memory_format=CHANNELS_LAST),
        offset.detach().to(dtype),
        convolution.stride,
        tuple(map(int, convolution.padding)),
        convolution.groups,
    )


def _is_plain(convolution: nn.Conv3d) -> bool:
    kind = type(convolution)
    # those of this project compute the same in other ways
    is_known = kind._conv_forward is nn.Conv3d._conv_forward or kind.__module__.startswith(_OWN)
    return (
        is_known
        and kind.forward is nn.Conv3d.forward
        and (convolution.padding_mode, set(convolution.dilation)) == ("zeros", {1})
        and not isinstance(convolution.padding, str)
        and not is_parametrized(convolution)
    )


def _normalises_plainly(norm: _BatchNorm) -> bool:
    kind = type(norm)
    # those of this project and of several processes differ from torch's in training only
    return kind.forward in (_BatchNorm.forward, nn.SyncBatchNorm.forward) or kind.__module__.startswith(_OWN)


class FoldedConvolution(nn.Module):
    """Convolution and batch norm, and what may follow them.

    Args:
        folded: both.
        relu: whether ReLU follows.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, folded: Folded, relu: bool) -> None:
        super().__init__()
        self.register_buffer("weight", folded.weight)
        self.register_buffer("bias", folded.bias)
        self.stride, self.padding, self.groups = folded.stride, folded.padding, folded.groups
        self.relu = relu

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """``(B, in, T, H, W)`` to ``(B, out, ...)``; what is added before ReLU may be overwritten."""
        weight, padding = self._on_steps(x.shape[2])
        return convolve(x, weight, self.bias, self.stride, padding, self.groups, self.relu, added)

    def _on_steps(self, steps: int) -> tuple[Tensor, tuple[int, ...]]:
        """Weight and padding; without what only padding would meet, where a single time step comes out."""
        kernel, before = self.weight.shape[2], self.padding[0]
        if not 0 < before < kernel or (steps + 2 * before - kernel) // self.stride[0] > 0:
            return self.weight, self.padding
        weight = self.weight[:, :, before : before + steps].contiguous(memory_format=CHANNELS_LAST)
        return weight, (0, *self.padding[1:])


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    groups: int = 1,
    relu: bool = True,
    added: Tensor | None = None,
) -> Tensor:
    """Convolution with bias, plus what is added, then ReLU; channels last in memory.

    Args:
        x: ``(B, in, T, H, W)``, cast to the precision of the weight.
        weight: ``(out, in / groups, kt, kh, kw)``.
        bias: ``(out,)``.
        stride: as the other settings, of the convolution.
        padding: with zeros.
        groups: of channels.
        relu: whether it follows.
        added: of the shape of the result; may be overwritten.
    """
    x = _channels_last(x.to(weight.dtype))
    if not _has_fused_kernel(x):
        y = functional.conv3d(x, weight, bias, stride, padding, groups=groups)
        y = y if added is None else y.add_(added)
        return y.relu_() if relu else y
    geometry = weight, bias, padding, stride, (1, 1, 1), groups
    if added is None:
        y = _onednn()._convolution_pointwise(x, *geometry, "relu" if relu else "none", [], None)
    else:
        added = _channels_last(added.to(weight.dtype))
        after: tuple[Any, ...] = ("add", 1.0, "relu" if relu else None, [], None)
        y = _onednn()._convolution_pointwise_.binary(added, x, *geometry, *after)
    return y


def _channels_last(x: Tensor) -> Tensor:
    x = x.contiguous(memory_format=CHANNELS_LAST)
    _, channels, steps, height, width = x.shape
    row, frame = width * channels, height * width * channels
    # where a side is 1, PyTorch takes any stride for contiguous, and oneDNN does not
    return x.as_strided(x.shape, (steps * frame, 1, frame, row, channels))


def _onednn() -> Any:
    """PyTorch's own operators for graphs that it has frozen on a CPU; they are not public."""
    return torch.ops.mkldnn


def _has_fused_kernel(x: Tensor) -> bool:
    if not (takes_cpu_form(x) and torch.backends.mkldnn.enabled):
        return False
    if not hasattr(_onednn(), "_convolution_pointwise"):
        return False
    if x.dtype == torch.bfloat16:
        return bool(_onednn()._is_mkldnn_bf16_supported())
    return x.dtype == torch.float32
