"""Rows about STA-DRN: what a training step costs, beside the network as it is described."""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.bench import limits
from depression_vr.bench.allocation import peak
from depression_vr.bench.guard import refuse_wrong_layers
from depression_vr.bench.passes import operations
from depression_vr.bench.plain_sta_drn import plain
from depression_vr.bench.rows import Bound, Goal, Row, by
from depression_vr.bench.step import Step, repair, timed, timed_in_training
from depression_vr.models.sta_drn import StaDrn

_PRECISIONS = {
    # name: limit, most of the baseline's time, most of its memory
    "float32": (limits.FLOAT32, 0.5, None),
    "bf16": (limits.BFLOAT16, 0.28, 0.6),
}


@dataclass(frozen=True)
class StaDrnBenchmark:
    """Training on the CPU, with as many threads as PyTorch takes.

    The baseline is in float32 with the channels first in memory. Ours has them last, as `ScoreRegression` has
    them, keeps freed memory and takes deterministic algorithms, as a training does.

    Attributes:
        size: side of the clips, pixels.
        clip_length: frames per clip.
        batch_size: clips.
        base_planes: width of the network.
        layers: blocks per stage and group of the network.
    """

    size: PositiveInt = 224
    clip_length: PositiveInt = 64
    batch_size: PositiveInt = 1
    base_planes: PositiveInt = 16
    layers: tuple[PositiveInt, ...] = (2, 2, 2, 2)

    def rows(self, folder: Path) -> Sequence[Row]:
        """Build the networks, and let each work once: PyTorch prepares its kernels then.

        Raises:
            UserError: gradients in half precision are wrong, in layers that a training would not repair.
        """
        torch.manual_seed(0)
        network = StaDrn(base_planes=self.base_planes, layers=self.layers)
        clips = torch.randn(self.batch_size, 3, self.clip_length, self.size, self.size)
        work = operations(network, [clips], backward=True)
        described = Step(plain(network), [clips])
        said = "a training step of the network as it is described, contiguous float32"
        seconds, memory = timed(said, described), peak(said, described, folder)
        network.to(memory_format=torch.channels_last_3d)
        clips = clips.contiguous(memory_format=torch.channels_last_3d)
        repaired = repair(network, [clips])  # which changes nothing in float32
        refuse_wrong_layers(network, [clips])
        rows = []
        for precision, (limit, most_time, most_memory) in _PRECISIONS.items():
            half = precision == "bf16"
            step = Step(copy.deepcopy(network), [clips], half=half)
            what = f"a training step of STA-DRN, clips {by(clips.shape)}, {precision}"
            if half:
                what += f" with {repaired} convolutions in float32"
            name = f"sta_drn step {precision}"
            rows.append(
                Row(
                    name,
                    timed_in_training(what, step),
                    seconds,
                    Goal("ratio", most=most_time),
                    Bound(limit, work),
                )
            )
            goal = None if most_memory is None else Goal("ratio", most=most_memory)
            rows.append(Row(f"{name} memory", peak(what, step, folder), memory, goal))
        return rows
