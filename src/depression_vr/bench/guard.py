"""Half precision counts only where its gradients are right."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from depression_vr.bench.rows import by
from depression_vr.errors import Problem, UserError
from depression_vr.models.arithmetic import gradient_errors

_MOST = 0.02


def refuse_wrong_layers(network: nn.Module, views: Sequence[Tensor]) -> None:
    """Refuse to time a network in bfloat16 on the CPU that would learn something else than in float32.

    Looks at convolutions alone, each by itself: what `gradient_errors` leaves out, and backward passes that
    are written by hand, only tests hold against float32.

    Args:
        network: in training mode; layers that it trains in float32 are not looked at.
        views: of a batch, ``(B, 3, T, H, W)`` each.

    Raises:
        UserError: some convolution's weight gradient is off by more than 0.02 of its norm.
    """
    with torch.autocast("cpu", torch.bfloat16):
        errors = gradient_errors(network, views)
    wrong = [Problem(name, f"is off by {error:.3g}") for name, error in errors.items() if not error <= _MOST]
    if wrong:
        raise UserError(
            f"weight gradients in bfloat16 are off by more than {_MOST} of their norm on this processor",
            where=f"{type(network).__name__}, clips {by(views[0].shape)}",
            problems=wrong,
            fix="measure other rows, or larger clips",
        )
