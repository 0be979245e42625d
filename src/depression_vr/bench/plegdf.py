"""Rows about PLEGDF-FGLSCF: what relations between regions and what a training step cost."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn

from depression_vr.bench import limits
from depression_vr.bench.allocation import peak
from depression_vr.bench.guard import refuse_wrong_layers
from depression_vr.bench.naive_relations import NaiveRelations
from depression_vr.bench.passes import operations
from depression_vr.bench.plain_plegdf import plain
from depression_vr.bench.rows import Bound, Goal, Row, by
from depression_vr.bench.step import Step, repair, timed, timed_in_training
from depression_vr.models.layers import initialise
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.plegdf_fglscf.relations import RegionRelations
from depression_vr.models.plegdf_fglscf.slim_resnet import EXPANSION

_WEIGHT_DECAY = 5e-5  # as the laboratory trains

Side = Annotated[int, Field(ge=32, multiple_of=32)]  # stage 3's map has four equal quadrants
Layers = Annotated[tuple[PositiveInt, ...], Field(min_length=3)]
Batch = Annotated[int, Field(ge=2)]  # one clip may leave batch norm a single value


@dataclass(frozen=True)
class PlegdfBenchmark:
    """Training on the CPU, with as many threads as PyTorch takes.

    The baseline is in float32 with the channels first in memory. Ours has them last, as `ScoreRegression` has
    them, keeps freed memory and takes deterministic algorithms, as a training does.

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
        """Build modules and networks, and let each work once: PyTorch prepares its kernels then.

        Raises:
            UserError: gradients in half precision are wrong, in layers that a training would not repair.
        """
        torch.manual_seed(0)
        return [*self._relations(folder), *self._training(folder)]

    def _relations(self, folder: Path) -> list[Row]:
        side, planes = self.size // 4, EXPANSION * self.base_planes
        shape = self.batch_size, planes, -(-self.clip_length // 2), side, side
        module = RegionRelations(planes, (side, side), reduction=8, norm_momentum=0.1)
        initialise(module)
        naive = _Pass(NaiveRelations(copy.deepcopy(module)), shape, torch.contiguous_format)
        ours = _Pass(module, shape, torch.channels_last_3d)
        what = f"forward and backward of the relations behind stage 1, map {by(shape)}"
        pairwise = "forward and backward, every ordered pair by itself"
        return [
            Row("plegdf relations", timed_in_training(what, ours), timed(pairwise, naive)),
            Row("plegdf relations memory", peak(what, ours, folder), peak(pairwise, naive, folder)),
        ]

    def _training(self, folder: Path) -> list[Row]:
        network = PlegdfFglscf(self.size, base_planes=self.base_planes, layers=self.layers)
        shape = self.batch_size, 3, self.clip_length, self.size, self.size
        views = [torch.randn(shape) for _ in range(2)]
        work = operations(network, views, backward=True)
        described = Step(plain(network), views, weight_decay=_WEIGHT_DECAY)
        said = "a training step of the network as it is described, contiguous float32"
        seconds, memory = timed(said, described), peak(said, described, folder)

        what = f"a training step of PLEGDF-FGLSCF, two views {by(shape)}"
        network.to(memory_format=torch.channels_last_3d)
        views = [view.contiguous(memory_format=torch.channels_last_3d) for view in views]
        single = Step(copy.deepcopy(network), views, weight_decay=_WEIGHT_DECAY)
        in_single = f"{what}, float32"
        repaired = repair(network, views)
        refuse_wrong_layers(network, views)
        half = Step(network, views, half=True, weight_decay=_WEIGHT_DECAY)
        in_half = f"{what}, bf16 with {repaired} convolutions in float32"
        return [
            Row(
                "plegdf step float32",
                timed_in_training(in_single, single),
                seconds,
                Goal("ratio", most=0.5),
                Bound(limits.FLOAT32, work),
            ),
            Row("plegdf step float32 memory", peak(in_single, single, folder), memory),
            Row(
                "plegdf step bf16",
                timed_in_training(in_half, half),
                seconds,
                bound=Bound(limits.BFLOAT16, work),
            ),
            Row("plegdf step bf16 memory", peak(in_half, half, folder), memory),
        ]


class _Pass:
    """Forward and backward pass of a module within a network."""

    def __init__(self, module: nn.Module, shape: tuple[int, ...], memory_format: torch.memory_format) -> None:
        self.module = module.to(memory_format=memory_format)
        self.x = torch.rand(shape).contiguous(memory_format=memory_format).requires_grad_()
        self.cotangent = torch.rand(shape).contiguous(memory_format=memory_format)
        self()

    def __call__(self) -> None:
        self.module(self.x).backward(self.cotangent)
        self.module.zero_grad()
        self.x.grad = None
