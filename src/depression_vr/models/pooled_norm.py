"""Batch norm, ReLU and max pooling of a large map in one step, for training on the CPU.

Max pooling commutes with ReLU and, but for the sign of its weight, with batch norm. So the map is pooled as
it is and only what is left is normalised. The gradient of the map is a linear function of the map, which is
the part of the batch's mean and variance, plus what goes back through the pool.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from depression_vr.models.cpu import takes_cpu_form

_aten: Any = torch.ops.aten


def norm_relu_pool(x: Tensor, norm: nn.BatchNorm3d, pool: nn.MaxPool3d) -> Tensor:
    """``pool(relu(norm(x)))``.

    Where values of a window are equal behind the norm, which they all are where its weight is 0, the gradient
    may take another one than PyTorch's: the largest in front of it.

    Args:
        x: ``(B, C, T, H, W)``.
        norm: of C channels; its running statistics follow x in training.
        pool: any.

    Raises:
        RuntimeError: of gradients on the CPU, when they are to be differentiated again.
    """
    if not (takes_cpu_form(x) and _fits(x, norm) and _is_plain(norm) and _is_plain_pool(pool)):
        pooled: Tensor = pool(norm(x).relu())
        return pooled
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    window = _Window(pool.kernel_size, pool.stride, pool.padding)
    fused: Tensor = _NormReluPool.apply(x, norm.weight, norm.bias, norm, window)
    return fused


def _fits(x: Tensor, norm: nn.BatchNorm3d) -> bool:
    """Whether a norm has statistics of x; the kernels do not look, and write beside those it has."""
    return x.dim() == 5 and x.shape[1] == norm.num_features and x.numel() > x.shape[1]


def _is_plain(norm: nn.BatchNorm3d) -> bool:
    """Whether a norm takes this batch's statistics alone, and keeps them as most do."""
    # one that spans processes is of another class
    kept = norm.track_running_stats and norm.momentum is not None
    return type(norm) is nn.BatchNorm3d and norm.training and norm.affine and kept and not _is_hooked(norm)


def _is_plain_pool(pool: nn.MaxPool3d) -> bool:
    return not (pool.ceil_mode or pool.return_indices or _is_hooked(pool)) and pool.dilation in (1, (1, 1, 1))


def _is_hooked(module: nn.Module) -> bool:
    """Whether something waits for a module to be called, or for its gradients."""
    forward = module._forward_hooks or module._forward_pre_hooks
    return bool(forward or module._backward_hooks or module._backward_pre_hooks)


class _Window(NamedTuple):
    size: Any
    stride: Any
    padding: Any


class _NormReluPool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: nn.BatchNorm3d, window: _Window
    ) -> Tensor:
        mean, variance = _aten.batch_norm_update_stats(x, norm.running_mean, norm.running_var, norm.momentum)
        y, places = _largest(x, weight, window)
        z = _aten.native_batch_norm(y, weight, bias, mean, variance, False, 0.0, norm.eps)[0].relu()
        ctx.save_for_backward(x, weight, mean, (variance + norm.eps).rsqrt(), y, places, z)
        ctx.eps, ctx.window = norm.eps, window
        return z

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # torch's once_differentiable refuses only what it can see, and misses x
            raise RuntimeError("norm_relu_pool: its gradients cannot be differentiated again")
        x, weight, mean, scale, y, places, z = ctx.saved_tensors
        gradient = _aten.threshold_backward(gradients[0], z, 0)
        _, of_weight, of_bias = _aten.native_batch_norm_backward(
            gradient, y, weight, None, None, mean, scale, True, ctx.eps, [False, True, True]
        )
        if not ctx.needs_input_grad[0]:
            return None, of_weight, of_bias, None, None
        positions = x.numel() // x.shape[1]
        slope = -weight * scale.square() * of_weight / positions
        offset = -weight * scale * of_bias / positions - slope * mean
        through_pool = _aten.max_pool3d_with_indices_backward(
            _scaled(gradient, weight * scale), x, *ctx.window, [1, 1, 1], False, places
        )
        return through_pool + _line(x, slope, offset), of_weight, of_bias, None, None


def _largest(x: Tensor, weight: Tensor, window: _Window) -> tuple[Tensor, Tensor]:
    """What is largest behind the norm of every window, as it is in front of it, and where that was."""
    sign = torch.ones_like(weight).copysign(weight)
    if bool((sign < 0).any()):
        y, places = _aten.max_pool3d_with_indices(_scaled(x, sign), *window)
        return _scaled(y, sign), places
    return _aten.max_pool3d_with_indices(x, *window)


def _line(x: Tensor, slope: Tensor, offset: Tensor) -> Tensor:
    """``slope * x + offset`` by channel, which batch norm has the fastest kernel for."""
    zeros, ones = torch.zeros_like(slope), torch.ones_like(slope)
    return _aten.native_batch_norm(x, slope, offset, zeros, ones, False, 0.0, 0.0)[0]


def _scaled(x: Tensor, scale: Tensor) -> Tensor:
    return _line(x, scale, torch.zeros_like(scale))
