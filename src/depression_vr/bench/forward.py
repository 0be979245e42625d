"""Rows about STA-DRN's forward pass in evaluation, beside the network as it is described."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from depression_vr.bench import limits
from depression_vr.bench.passes import operations, seconds_after_others
from depression_vr.bench.plain_sta_drn import plain
from depression_vr.bench.rows import Bound, Goal, Measure, Row, by
from depression_vr.memory import freed_memory_kept
from depression_vr.models.inference import for_inference
from depression_vr.models.sta_drn import StaDrn


@dataclass(frozen=True)
class ForwardBenchmark:
    """Evaluating clips on the CPU, with as many threads as PyTorch takes.

    The baseline is in float32 with the channels first in memory. Ours is what an evaluation makes of the
    network, and keeps freed memory, as an evaluation does.

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
        """Build the networks; each has worked before it is timed: PyTorch prepares its kernels then."""
        torch.manual_seed(0)
        network = StaDrn(base_planes=self.base_planes, layers=self.layers).eval()
        clips = torch.randn(self.batch_size, 3, self.clip_length, self.size, self.size)
        described = plain(network)
        work = operations(described, [clips], backward=False)
        said = "a forward pass of the network as it is described, contiguous float32"
        baseline = Measure(said, "s", partial(seconds_after_others, partial(_evaluate, described, clips)))
        network.to(memory_format=torch.channels_last_3d)
        clips = clips.contiguous(memory_format=torch.channels_last_3d)
        return [
            Row(
                f"sta_drn forward {precision}",
                Measure(
                    f"a forward pass of STA-DRN, clips {by(clips.shape)}, {precision}",
                    "s",
                    _Evaluation(network, clips, precision == "bf16"),
                ),
                baseline,
                Goal("ratio", most=most),
                Bound(limit, work),
            )
            for precision, limit, most in (
                ("float32", limits.FLOAT32, 0.45),
                ("bf16", limits.BFLOAT16, 0.28),
            )
        ]


class _Evaluation:
    """Of batches of clips, the weights and the precision staying what they are."""

    def __init__(self, network: nn.Module, clips: Tensor, half: bool) -> None:
        self.clips, self.half = clips, half
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            self.network = for_inference(network)

    def __call__(self) -> float:
        with freed_memory_kept(), torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            return seconds_after_others(partial(_evaluate, self.network, self.clips))


@torch.inference_mode()
def _evaluate(network: nn.Module, clips: Tensor) -> None:
    network(clips)
