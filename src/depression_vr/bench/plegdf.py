"""Rows about PLEGDF-FGLSCF: what relations between regions cost, beside building those of every pair."""

import copy
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn
from torch.profiler import ProfilerActivity, profile

from depression_vr.bench.naive_relations import NaiveRelations, with_naive_relations
from depression_vr.bench.rows import Measure, Row, per_second
from depression_vr.learning.loss import RootMeanSquaredError
from depression_vr.models.layers import initialise
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.plegdf_fglscf.relations import RegionRelations
from depression_vr.models.plegdf_fglscf.slim_resnet import EXPANSION

_RATE = "clips/s"
_MEBIBYTE = 2**20

Side = Annotated[int, Field(ge=32, multiple_of=32)]  # stage 3's map has four equal quadrants
Layers = Annotated[tuple[PositiveInt, ...], Field(min_length=3)]
Batch = Annotated[int, Field(ge=2)]  # one clip may leave batch norm a single value


@dataclass(frozen=True)
class PlegdfBenchmark:
    """Training in float32 on the CPU, with as many threads as PyTorch takes.

    Ours has the channels last in memory, as `ScoreRegression` has them; the baseline has them first.

    Attributes:
        size: side of the views, pixels.
        clip_length: frames per clip.
        batch_size: clips.
        base_planes: width of the network.
        layers: blocks per stage of the network.
    """

    size: Side = 128
    clip_length: PositiveInt = 16
    batch_size: Batch = 4
    base_planes: PositiveInt = 32
    layers: Layers = (3, 4, 6, 3)

    def rows(self, folder: Path) -> Sequence[Row]:
        """Build modules and networks, and let each work once: PyTorch prepares its kernels then."""
        torch.manual_seed(0)
        return [*self._relations(folder), self._training()]

    def _relations(self, folder: Path) -> list[Row]:
        side, planes = self.size // 4, EXPANSION * self.base_planes
        shape = self.batch_size, planes, -(-self.clip_length // 2), side, side
        module = RegionRelations(planes, (side, side), reduction=8, norm_momentum=0.1)
        initialise(module)
        naive = _Pass(NaiveRelations(copy.deepcopy(module)), shape, torch.contiguous_format)
        ours = _Pass(module, shape, torch.channels_last_3d)
        what = f"of the relations behind stage 1, map {_by(shape)}"
        peak = "peak of what PyTorch allocates (its profiler) in"
        pairwise = "every ordered pair by itself"
        return [
            Row(
                "plegdf relations",
                _rate(f"forward and backward {what}", ours),
                _rate(f"forward and backward, {pairwise}", naive),
            ),
            Row(
                "plegdf relations memory",
                _peak(f"{peak} forward and backward {what}", ours, folder),
                _peak(f"{peak} forward and backward, {pairwise}", naive, folder),
            ),
        ]

    def _training(self) -> Row:
        network = PlegdfFglscf(self.size, base_planes=self.base_planes, layers=self.layers)
        shape = self.batch_size, 3, self.clip_length, self.size, self.size
        naive = _TrainingStep(with_naive_relations(network), shape, torch.contiguous_format)
        ours = _TrainingStep(network, shape, torch.channels_last_3d)
        return Row(
            "plegdf training step",
            _rate(f"training step of PLEGDF-FGLSCF, two views {_by(shape)}", ours),
            _rate("training step with the relations of every ordered pair by itself", naive),
        )


class _Pass:
    """Forward and backward pass of a module within a network."""

    def __init__(self, module: nn.Module, shape: tuple[int, ...], memory_format: torch.memory_format) -> None:
        self.module = module.to(memory_format=memory_format)
        self.x = torch.rand(shape).contiguous(memory_format=memory_format).requires_grad_()
        self.cotangent = torch.rand(shape).contiguous(memory_format=memory_format)
        self()

    def __call__(self) -> int:
        """Returns the number of clips."""
        self.module(self.x).backward(self.cotangent)
        self.module.zero_grad()
        self.x.grad = None
        return len(self.x)


class _TrainingStep:
    """A step as the laboratory trains."""

    def __init__(
        self, network: nn.Module, shape: tuple[int, ...], memory_format: torch.memory_format
    ) -> None:
        self.network = network.to(memory_format=memory_format)
        self.views = [torch.randn(shape).contiguous(memory_format=memory_format) for _ in range(2)]
        self.scores = torch.linspace(0, 40, len(self.views[0]))
        self.loss = RootMeanSquaredError()
        self.optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=5e-5)
        self()

    def __call__(self) -> int:
        """Returns the number of clips."""
        self.loss(self.network(*self.views), self.scores).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return len(self.scores)


def _rate(what: str, work: Callable[[], int]) -> Measure:
    return Measure(what, _RATE, partial(per_second, work))


def _peak(what: str, work: Callable[[], int], folder: Path) -> Measure:
    return Measure(what, "MiB", partial(_peak_allocation, work, folder), repeated=False)


def _peak_allocation(work: Callable[[], int], folder: Path) -> float:
    """The most that is held at once of what the work allocates, MiB; what was there before does not count.

    Scratch memory that oneDNN takes for itself is not seen.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler warns that it finds no GPU
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    trace = folder / "trace.json"
    profiler.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text())["traceEvents"]
    held = peak = 0
    for event in sorted((e for e in events if e["name"] == "[memory]"), key=lambda event: event["ts"]):
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    return peak / _MEBIBYTE


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
