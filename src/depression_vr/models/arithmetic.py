"""Finds the convolutions whose weight gradients are wrong in half precision."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from depression_vr.models.float32 import Convolution, trains_in_float32

TOLERANCE = 2**-5
"""Largest error of a weight gradient, as a share of its norm.

Half precision rounds what it stores to a share of 2^-9 (bfloat16) or 2^-12 (float16), and sums in float32:
right gradients are off by 0.002. This leaves room for kernels that join partial sums in half precision. Wrong
ones were off by 0.1 to infinity.
"""


@runtime_checkable
class CutsKernel(Protocol):
    """A convolution that leaves out those steps of its kernel which only padding would meet."""

    def kernel_on(self, x: Tensor) -> tuple[int, ...]:
        """Size of what is left for an input."""


def wrong_convolutions(network: nn.Module, views: Sequence[Tensor]) -> list[str]:
    """Names of the convolutions that should not be trained in the precision that autocast is on with.

    Weights, gradients, buffers and random states are left as they are.

    Args:
        network: as it is trained, in its training mode.
        views: of one batch, ``(B, 3, T, H, W)`` each, as the network takes them.
    """
    return [name for name, error in gradient_errors(network, views).items() if not error <= TOLERANCE]


def gradient_errors(network: nn.Module, views: Sequence[Tensor]) -> dict[str, float]:
    """How far off the weight gradient of each convolution is in autocast's half precision.

    Runs the network once. Each convolution gets the weight gradient of its real input and a random gradient
    of its real output, in half precision and in float32. Only convolutions that are called as layers are
    looked at: neither matrix products nor what a module computes with a convolution's weight, which is how
    the relations of PLEGDF-FGLSCF are computed; nor how errors of several layers add up.

    Returns:
        Norm of the difference as a share of the norm, by name; the largest where a layer is used several
        times, infinite for what is known to be wrong. Layers that train in float32 are not there.

    Raises:
        FloatingPointError: the activations are not finite.
    """
    device = views[0].device
    errors: dict[str, float] = {}

    def check(name: str, convolution: Convolution, inputs: tuple[Tensor], output: Tensor) -> None:
        errors[name] = max(errors.get(name, 0.0), _error(convolution, inputs[0], output))

    layers = {name: module for name, module in network.named_modules() if isinstance(module, Convolution)}
    halved = {name: layer for name, layer in layers.items() if not trains_in_float32(layer)}
    hooks = [layer.register_forward_hook(partial(check, name)) for name, layer in halved.items()]
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            functional_call(network, buffers, tuple(views))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: errors[name] for name in halved if name in errors}


def _error(convolution: Convolution, x: Tensor, output: Tensor) -> float:
    half = torch.get_autocast_dtype(x.device.type)
    if x.device.type == "cpu" and half == torch.bfloat16 and _is_larger_than_map(convolution, x):
        return math.inf
    x = x.detach().to(half)
    positions = output.numel() / output.shape[1]
    gradient = torch.randn_like(output, dtype=half) / positions**0.5  # so that float16 holds the sum
    exact = _weight_gradient(convolution, x, gradient, torch.float32)
    error = torch.linalg.vector_norm(_weight_gradient(convolution, x, gradient, half).float() - exact)
    norm = torch.linalg.vector_norm(exact)
    if not norm.isfinite():
        raise FloatingPointError("the network's activations are not finite")
    share = float(error / norm) if error else 0.0
    return math.inf if math.isnan(share) else share


def _is_larger_than_map(convolution: Convolution, x: Tensor) -> bool:
    """Whether a kernel is larger than its input along some dimension.

    For some of these shapes oneDNN 3.12, of torch 2.14, leaves parts of the gradient unwritten, or writes
    beside it and takes the process down. They must not even be tried, and what comes out depends on what was
    in memory before. Which ones they are depends on the processor; among them are a kernel of 3 with stride 1
    on two time steps, and with stride 2 on a map one pixel wide. No other map was wrong for a kernel of 3.
    """
    kernel = convolution.kernel_on(x) if isinstance(convolution, CutsKernel) else convolution.kernel_size
    sizes = zip(convolution.dilation, kernel, strict=True)
    spans = [dilation * (size - 1) + 1 for dilation, size in sizes]
    return any(span > side for span, side in zip(spans, x.shape[-len(spans) :], strict=True))


def _weight_gradient(convolution: Convolution, x: Tensor, gradient: Tensor, dtype: torch.dtype) -> Tensor:
    weight = convolution.weight.detach().to(dtype).requires_grad_()
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        output = convolution._conv_forward(x.to(dtype), weight, None)
        return torch.autograd.grad(output, weight, gradient.to(dtype))[0]
