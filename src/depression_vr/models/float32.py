"""Layers that compute in float32 where autocast would have them compute in half precision."""

from collections.abc import Callable
from types import MethodType

import torch
from torch import Tensor, nn

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


def autocasts(device: torch.device) -> bool:
    """Whether autocast is on for a kind of device."""
    # there is none at all for the meta device, where asking whether it is on would be an error
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def in_float32(x: Tensor) -> Tensor:
    """What autocast has put into half precision, in float32; as it is where autocast is off."""
    return x.float() if autocasts(x.device) else x


class Float32Linear(nn.Linear):
    """Linear layer that autocast leaves in the precision of its weights.

    For the last layer of a network: in half precision a score of 32 points or more is rounded to quarters of
    a point in bfloat16, and nothing follows that would average it out.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in)`` to ``(B, out)``."""
        return _without_autocast(super().forward, x, self.weight.dtype)


def train_in_float32(convolution: Convolution) -> None:
    """Let a convolution compute in the precision of its weights wherever gradients are computed.

    Without gradients, which is in evaluation, it does as autocast says: the scores of a checkpoint are the
    same whether or not its training had to help the layer. Keys of state dicts stay, and copies of the layer
    have the property too.
    """
    convolution.forward = MethodType(_forward, convolution)  # type: ignore[method-assign]


def train_as_autocast_says(convolution: Convolution) -> None:
    """Undo `train_in_float32`."""
    vars(convolution).pop("forward", None)


def trains_in_float32(layer: nn.Module) -> bool:
    """Whether `train_in_float32` has changed a layer."""
    own = vars(layer).get("forward")
    return isinstance(own, MethodType) and own.__func__ is _forward


def _forward(convolution: Convolution, x: Tensor) -> Tensor:
    forward = type(convolution).forward.__get__(convolution)
    return _without_autocast(forward, x, convolution.weight.dtype) if torch.is_grad_enabled() else forward(x)


def _without_autocast(forward: Callable[[Tensor], Tensor], x: Tensor, dtype: torch.dtype) -> Tensor:
    if not autocasts(x.device):
        return forward(x)
    with torch.autocast(x.device.type, enabled=False):
        return forward(x.to(dtype))
