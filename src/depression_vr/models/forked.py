"""Two ways on from one map."""

from typing import Any

import torch
from torch import Tensor

from depression_vr.models.cpu import takes_cpu_form


def forked(x: Tensor) -> tuple[Tensor, Tensor]:
    """The same map twice, for two branches.

    Autograd would add in place what comes back through them, for which PyTorch takes twice as long in half
    precision on a CPU.
    """
    if not (takes_cpu_form(x) and x.requires_grad):
        return x, x
    first, second = _Fork.apply(x)
    return first, second


class _Fork(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.view_as(x), x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        first, second = gradients
        return first + second
