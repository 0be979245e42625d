"""Rows about evaluating a video: windows per second, and memory however long the video is."""

import csv
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from depression_vr import assembly
from depression_vr.bench import limits
from depression_vr.bench.limits import face_jpeg
from depression_vr.bench.passes import operations
from depression_vr.bench.plain_sta_drn import plain
from depression_vr.bench.rows import Bound, Goal, Measure, Row, per_second
from depression_vr.configs import compose
from depression_vr.learning.evaluation import score_windows
from depression_vr.models.sta_drn import StaDrn

_GIGABYTE = 1e9
_MOST_MEMORY = 2.5  # GB
_SECONDS_BETWEEN_LOOKS = 0.1
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_OVERLAP = 0.5  # of all windows together, in windows


@dataclass(frozen=True)
class EvaluationBenchmark:
    """The windows of one video, from JPEG files to scores, on the CPU.

    Ours is the evaluation of any run, with its workers and from their start on; the baseline reads one window
    after the other with PIL and evaluates it by itself, with the network as it is described. The windows
    together have half a window more frames than the video: each shares a few with the next. Of a batch, which
    one worker reads, they are decoded once. Memory is that of the command and its workers, what they share
    counted once.

    Attributes:
        size: side of the frames, pixels.
        clip_length: frames per window.
        windows: of the video whose evaluation is timed.
        baseline_windows: how many of these the baseline takes.
        short: frames of a video whose evaluation should take as much memory as that of a longer one.
        long: frames of that.
        frame_step: every how many frames of those two one is kept.
        base_planes: width of the network.
        layers: blocks per stage and group of the network.
    """

    size: PositiveInt = 224
    clip_length: PositiveInt = 64
    windows: PositiveInt = 20
    baseline_windows: PositiveInt = 2
    short: PositiveInt = 5400
    long: PositiveInt = 54000
    frame_step: PositiveInt = 3
    base_planes: PositiveInt = 16
    layers: tuple[PositiveInt, ...] = (2, 2, 2, 2)

    def rows(self, folder: Path) -> Sequence[Row]:
        """Write the videos and the weights."""
        frames = round((self.windows - _OVERLAP) * self.clip_length)
        timed, short, long = (_write(folder, n, self.size) for n in (frames, self.short, self.long))
        torch.manual_seed(0)
        network = StaDrn(base_planes=self.base_planes, layers=self.layers).eval()
        weights = folder / "sta_drn.pth"
        torch.save(network.state_dict(), weights)
        arguments = (
            "model=sta_drn",
            f"model.base_planes={self.base_planes}",
            f"model.layers={list(self.layers)}",
            f"ckpt={weights}",
        )
        described = plain(network)
        clip = torch.empty(1, 3, self.clip_length, self.size, self.size, device="meta")
        work = operations(described, [clip], backward=False)
        alone = Measure(
            "every window decoded with PIL and evaluated by itself, contiguous float32",
            "windows/s",
            partial(per_second, partial(self._one_by_one, timed.parent / timed.stem, described)),
        )
        windows = f"windows of {self.clip_length} frames of {self.size}x{self.size} of one video"
        rates = [
            Row(
                f"evaluation {name}",
                Measure(
                    f"{windows}, {name}",
                    "windows/s",
                    partial(_rate, (*arguments, *self._clips(timed, 1, precision)), folder),
                ),
                alone,
                Goal("ratio", least=least),
                Bound(limit, work),
            )
            for name, precision, limit, least in (
                ("float32", "32-true", limits.FLOAT32, 2.5),
                ("bf16", "bf16-mixed", limits.BFLOAT16, 4),
            )
        ]
        peaks = [
            Measure(
                f"peak memory of evaluating a video of {frames} frames, {name}",
                "GB",
                partial(_peak, (*arguments, *self._clips(table, self.frame_step, precision)), folder),
                repeated=False,
            )
            for frames, table, name, precision in (
                (self.long, long, "bf16", "bf16-mixed"),
                (self.short, short, "bf16", "bf16-mixed"),
                (self.short, short, "float32", "32-true"),
            )
        ]
        most = Goal("figure", most=_MOST_MEMORY)
        return [
            *rates,
            Row("evaluation memory, long video", peaks[0], peaks[1], Goal("ratio", most=1.1)),
            Row("evaluation memory bf16", peaks[0], goal=most),
            Row("evaluation memory float32", peaks[2], goal=most),
        ]

    def _clips(self, table: Path, frame_step: int, precision: str) -> tuple[str, ...]:
        return (
            "data=csv",
            f"data.table={table}",
            f"data.size={self.size}",
            f"data.clip_length={self.clip_length}",
            f"data.frame_step={frame_step}",
            f"precision={precision}",
            "trainer.accelerator=cpu",
            "+trainer.enable_progress_bar=false",
        )

    @torch.inference_mode()
    def _one_by_one(self, video: Path, network: nn.Module) -> int:
        frames = sorted(video.iterdir())
        for first in range(0, self.baseline_windows * self.clip_length, self.clip_length):
            network(self._read(frames[first : first + self.clip_length]))
        return self.baseline_windows

    def _read(self, frames: Sequence[Path]) -> Tensor:
        """``(1, 3, T, H, W)``, normalised."""
        pictures = []
        for frame in frames:
            with Image.open(frame) as image:
                pictures.append(np.asarray(image.convert("RGB").resize((self.size, self.size))))
        pixels = torch.from_numpy(np.stack(pictures)).permute(3, 0, 1, 2).float() / 255
        mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (_MEAN, _STD))
        return ((pixels - mean) / std).contiguous().unsqueeze(0)


def _write(folder: Path, frames: int, size: int) -> Path:
    """A corpus of one video whose frames are a file each; returns its table."""
    table = folder / f"{frames}.csv"
    video = folder / table.stem
    video.mkdir()
    picture = face_jpeg(size)
    for name in _names(frames):
        (video / name).write_bytes(picture)
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "partition"), (video.name, 12, "test")])
    return table


def _names(frames: int) -> Iterator[str]:
    return (f"{frame:06d}.jpg" for frame in range(frames))


def _rate(arguments: Sequence[str], folder: Path) -> float:
    config = compose("evaluate", [*arguments, "network=sta_drn", f"run_dir='{folder / 'run'}'"])
    datamodule, module = assembly.build_datamodule(config), assembly.build_regression(config)
    assembly.load_checkpoint(module, Path(config.ckpt))
    trainer = assembly.build_trainer(config)
    return per_second(lambda: len(score_windows(trainer, module, datamodule)))


def _peak(arguments: Sequence[str], folder: Path) -> float:
    """The most gigabytes that the command and its workers hold together."""
    command = [sys.executable, "-m", "depression_vr.evaluate", *arguments]
    log = folder / "evaluate.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    if process.returncode:
        raise RuntimeError(f"the evaluation that is measured has failed:\n{log.read_text(encoding='utf-8')}")
    return peak / _GIGABYTE


def _memory(pid: int) -> int:
    """Bytes of a process and all that it has started, each page once."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.uss)  # only Linux divides what is shared
    except psutil.Error:
        pass  # it has just ended
    return total
