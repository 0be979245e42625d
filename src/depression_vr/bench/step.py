"""The training step that rows about networks measure, and how it is measured."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from depression_vr.bench.passes import seconds, seconds_after_others
from depression_vr.bench.rows import Measure
from depression_vr.learning.loss import RootMeanSquaredError
from depression_vr.memory import freed_memory_kept
from depression_vr.models.arithmetic import wrong_convolutions
from depression_vr.models.float32 import Convolution, train_in_float32


@dataclass(eq=False)
class Step:
    """Forward and backward pass and a step of Adam.

    It is made once when it is built: PyTorch prepares its kernels then.

    Attributes:
        network: changed by every step.
        views: of a batch, ``(B, 3, T, H, W)`` each.
        half: compute in bfloat16, as ``precision=bf16-mixed`` does.
        weight_decay: of Adam.
    """

    network: nn.Module
    views: Sequence[Tensor]
    half: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.scores = torch.linspace(10, 40, len(self.views[0]))
        self.loss = RootMeanSquaredError()
        parameters = self.network.parameters()
        self.optimizer = torch.optim.Adam(parameters, lr=1e-4, weight_decay=self.weight_decay)
        self()

    def __call__(self) -> None:
        """Learn from the batch once more."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            y = self.network(*self.views).float()
        self.loss(y, self.scores).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def timed(what: str, work: Callable[[], None]) -> Measure:
    """Seconds of work, as PyTorch does it by itself."""
    return Measure(what, "s", partial(seconds, work))


def timed_in_training(what: str, work: Callable[[], None]) -> Measure:
    """Seconds of work after the same work, as most steps of a training are, and set up as a training is."""

    def measured() -> float:
        with freed_memory_kept(), _deterministic():
            return seconds_after_others(work)

    return Measure(what, "s", measured)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Deterministic algorithms, as a training on the CPU has them."""
    settings: Any = torch.utils.deterministic
    mode, fills = torch.get_deterministic_debug_mode(), settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        settings.fill_uninitialized_memory = fills


def repair(network: nn.Module, views: Sequence[Tensor]) -> int:
    """Let the layers train in float32 that `PrecisionGuard` would; returns how many."""
    with torch.autocast("cpu", torch.bfloat16):
        wrong = wrong_convolutions(network, views)
    for name in wrong:
        convolution = network.get_submodule(name)
        assert isinstance(convolution, Convolution)
        train_in_float32(convolution)
    return len(wrong)
