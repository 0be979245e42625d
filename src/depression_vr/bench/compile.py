"""Rows about ``compile=true``: what it takes to begin with, and what a training step then takes."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from depression_vr.bench.rows import Measure, Row, by
from depression_vr.models.sta_drn import StaDrn


@dataclass(frozen=True)
class CompileBenchmark:
    """Training steps of STA-DRN, compiled and not.

    It takes minutes. What was compiled before, in files, is not used.

    Attributes:
        size: side of the views, pixels.
        clip_length: frames per clip.
        batch_size: clips.
        base_planes: width of the network.
        layers: blocks per stage and group.
        precisions: of the steps.
    """

    size: PositiveInt
    clip_length: PositiveInt
    batch_size: PositiveInt
    base_planes: PositiveInt
    layers: list[PositiveInt]
    precisions: list[Literal["32-true", "bf16-mixed"]]

    def rows(self, folder: Path) -> Sequence[Row]:
        """Build the networks; what is compiled is compiled by the first measure."""
        return [row for precision in self.precisions for row in self._rows(precision)]

    def _rows(self, precision: str) -> list[Row]:
        shape = self.batch_size, 3, self.clip_length, self.size, self.size
        networks = [StaDrn(base_planes=self.base_planes, layers=self.layers) for _ in range(2)]
        eager = _Step(networks[0], shape, precision, compiles=False)
        compiled = _Step(networks[1], shape, precision, compiles=True)
        what = f"training step of STA-DRN, {by(shape)}, {precision}"
        return [
            Row(
                f"compile first step {precision}",
                Measure(f"first {what}, compiled", "s", compiled.seconds, repeated=False),
                Measure(f"first {what}", "s", eager.seconds, repeated=False),
            ),
            Row(
                f"compile step {precision}",
                Measure(f"{what}, compiled", "s", compiled.seconds),
                Measure(what, "s", eager.seconds),
            ),
        ]


class _Step:
    def __init__(self, network: StaDrn, shape: tuple[int, ...], precision: str, *, compiles: bool) -> None:
        self.network = network.to(memory_format=torch.channels_last_3d)
        self.forward: Callable[[Tensor], Tensor] = self.network
        if compiles:
            self.forward = torch.compile(self.network.forward)
        self.clips = torch.randn(shape).contiguous(memory_format=torch.channels_last_3d)
        self.scores = torch.linspace(0, 1, len(self.clips))
        self.in_half = precision == "bf16-mixed"
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)

    def seconds(self) -> float:
        began = time.perf_counter()
        with torch.compiler.config.patch(force_disable_caches=True):  # type: ignore[attr-defined]
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.in_half):
                y = self.forward(self.clips)
            torch.nn.functional.smooth_l1_loss(y.float(), self.scores).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - began
