"""Commands in several processes that train or evaluate together."""

import importlib
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from PIL import Image
from torch import Tensor, nn

from depression_vr.building import TARGETS_VARIABLE

CLIPS = ("data=csv", "data.size=32", "data.clip_length=8", "data.frame_step=1", "data.num_workers=0")
STA_DRN = ("model=sta_drn", "model.base_planes=2", "model.layers=[1,1,1,1]", *CLIPS)
PLEGDF = ("model=plegdf_fglscf", "model.base_planes=4", "model.layers=[1,1,1,1]", "model.dropout=0", *CLIPS)
COLOURS = ("model=r3d_18", "~model.weights", "model._target_=side_by_side.Colours", *CLIPS)


class Colours(nn.Module):
    """Scores of every pixel that depend on no batch.

    Of other networks they do: kernels round differently in batches of another size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([-9.0, 2.0, 7.0]))

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to ``(B,)``."""
        means = clips.double().mean((2, 3, 4))
        return (means * self.weight).sum(1).sigmoid()


def write_corpus(folder: Path, frames: Mapping[str, Sequence[int]]) -> Path:
    """Videos of so many frames in each partition; returns the table."""
    generator = np.random.default_rng(0)
    lines = ["path,label,partition"]
    for partition, lengths in frames.items():
        for video, length in enumerate(lengths):
            name = f"{partition}{video}"
            (folder / name).mkdir(parents=True)
            for frame in range(length):
                pixels = generator.integers(0, 256, (5, 6, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
                Image.fromarray(pixels).save(folder / name / f"{frame:03d}.jpg")
            lines.append(f"{name},{generator.integers(0, 45)},{partition}")
    table = folder / "videos.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def run_command(folder: Path, processes: int, command: str, *arguments: str) -> list[int | None]:
    """Run a command in so many processes, as a cluster would start them; their exit codes, by rank.

    What they print goes to ``FOLDER/rank<n>.out``.
    """
    folder.mkdir(exist_ok=True)
    return _joined(processes, _run_command, folder, command, arguments)


def run_function(processes: int, function: Callable[..., None], *arguments: Any) -> list[int | None]:
    """Run a function in so many processes that can exchange tensors; their exit codes, by rank."""
    return _joined(processes, _run_function, function, arguments)


def _joined(processes: int, target: Callable[..., None], *arguments: Any) -> list[int | None]:
    port = _free_port()
    started = [
        fork_server().Process(target=target, args=(rank, processes, port, *arguments))
        for rank in range(processes)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]


def fork_server() -> ForkServerContext:
    """Its processes begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["depression_vr.train", "depression_vr.models.sta_drn", "torchmetrics"])
    return context


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _prepare(rank: int, port: int) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    torch.set_num_threads(1)


def _run_command(
    rank: int, processes: int, port: int, folder: Path, command: str, arguments: Sequence[str]
) -> None:
    _prepare(rank, port)
    out = os.open(folder / f"rank{rank}.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    trainer = ("trainer=ddp_sim", f"trainer.devices={processes}", "hydra.run.dir=run")
    os.environ[TARGETS_VARIABLE] = "side_by_side.*"
    sys.argv = [command, *trainer, *arguments]
    importlib.import_module(f"depression_vr.{command}").main()


def _run_function(
    rank: int, processes: int, port: int, function: Callable[..., None], arguments: Sequence[Any]
) -> None:
    _prepare(rank, port)
    dist.init_process_group("gloo", rank=rank, world_size=processes)
    function(*arguments)
    dist.destroy_process_group()
