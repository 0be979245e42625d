"""What passes of a network take: seconds and operations."""

import copy
import time
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

_BEFORE = 2  # until what is freed has the sizes that are asked for


def seconds(work: Callable[[], object]) -> float:
    """How long work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def seconds_after_others(work: Callable[[], object]) -> float:
    """How long work takes after the same work."""
    for _ in range(_BEFORE):
        work()
    return seconds(work)


def operations(network: nn.Module, views: Sequence[Tensor], *, backward: bool) -> int:
    """Floating point operations of convolutions and matrix products in a forward and a backward pass.

    Args:
        network: nothing of it changes.
        views: of a batch.
        backward: False to count the forward pass alone.
    """
    with FlopCounterMode(display=False) as counted:
        y = copy.deepcopy(network).to("meta")(*(view.to("meta") for view in views))
        if backward:
            y.sum().backward()
    return counted.get_total_flops()
