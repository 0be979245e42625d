"""A trained run, opened again: its config, its network with the chosen weights, and clips for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor, nn

from depression_vr import assembly
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.frames import FrameFolder
from depression_vr.data.lending import PixelMemory
from depression_vr.data.manifest import Partition
from depression_vr.errors import UserError
from depression_vr.files import content_digest
from depression_vr.keys import APath, keys_of
from depression_vr.learning.faults import faults_explained
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.memory import freed_memory_kept
from depression_vr.models.inference import for_inference
from depression_vr.parallel import Tick
from depression_vr.runs.run import Run, open_run
from depression_vr.taking_over import checkpoint_of, take_over

_PRECISIONS = {
    "32-true": None, "32": None, 32: None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16,
}  # fmt: skip
"""To what factors are rounded, by Lightning's names; None for not at all."""


@checked_dataclass(frozen=True)
class _Keys:
    run: APath
    ckpt: APath | None
    partition: Partition


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The network of a run, ready to look at clips in this process.

    Attributes:
        run: where it was trained, or imported to.
        config: of the command, with the run's network and corpus taken over.
        checkpoint: the file of the weights.
        module: network and scale, in evaluation mode, on `device`.
        device: where to compute.
        trainer: that evaluates partitions.
    """

    run: Run
    config: DictConfig
    checkpoint: Path
    module: ScoreRegression
    device: torch.device
    trainer: pl.Trainer

    @cached_property
    def datamodule(self) -> ClipDataModule:
        """Clips of the corpus, which is found at the first look; cuts other videos alike."""
        return assembly.build_datamodule(self.config)

    @cached_property
    def checkpoint_digest(self) -> str:
        """SHA-256 of the checkpoint file."""
        return content_digest(self.checkpoint)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """The precision that the command asks for, without gradients."""
        half = _PRECISIONS[self.config.precision]
        with torch.no_grad(), torch.autocast(self.device.type, half, enabled=half is not None):
            yield

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Around the scoring of windows: memory is kept, and what the machine does to it explained.

        Raises:
            UserError: memory is exhausted, or a process that reads frames was killed.
        """
        memory = freed_memory_kept() if self.device.type == "cpu" else nullcontext()
        with faults_explained(self.config, "evaluation"), memory:
            yield

    @cached_property
    def _fast(self) -> nn.Module:
        with self.computing():
            return for_inference(self.module.network)

    def outputs(self, clips: Tensor) -> Tensor:
        """What the network says of clips ``(B, T, 3, H, W)``, uint8 0..255, as `evaluate` computes it.

        Returns:
            y ``(B,)``, float32, on the device; the scale makes a score of it.
        """
        views = self.datamodule.preparation(clips.to(self.device, non_blocking=True), None)
        with self.computing():
            return self._fast(*views).float()

    def scores(self, clips: Tensor) -> Tensor:
        """Scores ``(B,)`` of clips, both as with `outputs`, in points."""
        return self.module.scale.score(self.outputs(clips))

    def window_scores(self, folder: FrameFolder, tick: Tick = lambda: None) -> pd.DataFrame:
        """Scores of the windows of one video, in the batches that an evaluation takes.

        Args:
            folder: its frames.
            tick: called for every window.

        Returns:
            ``window, first_frame, last_frame, estimate, substituted``; frames count from 0 within the folder,
            the estimate is in points, ``substituted`` are the numbers of frames that were unreadable and
            replaced. The video's score is the mean.

        Raises:
            UserError: a frame cannot be read.
        """
        video = self.datamodule.video(folder)
        coming, rows = iter(video), []
        while windows := [*islice(coming, self.datamodule.evaluation_batch_size)]:
            clips, substituted = [], []
            for window in windows:
                clips.append(video.read(window).pixels)
                substituted.append(video.reader.substituted)
            estimates = self.scores(PixelMemory().stack(clips)).tolist()
            for window, estimate, replaced in zip(windows, estimates, substituted, strict=True):
                first, last = window.frames[[0, -1]].tolist()
                rows.append((window.window, first, last, estimate, replaced))
                tick()
        return pd.DataFrame(rows, columns=["window", "first_frame", "last_frame", "estimate", "substituted"])


def open_trained(config: DictConfig, overrides: Sequence[str]) -> TrainedNetwork:
    """Open the run that a command names, ``config.run``, with its best checkpoint or ``config.ckpt``.

    Args:
        config: of the command, with the keys of ``conf/trained.yaml``; the run's network and corpus are taken
            over into it.
        overrides: of the command line.

    Raises:
        UserError: it is no run directory, or something in it does not fit.
        pydantic.ValidationError: a key names no folder or file.
    """
    if config.precision not in _PRECISIONS:
        raise UserError(
            f"nothing is computed in precision={config.precision} here",
            where="config key precision",
            fix="use 32-true, bf16-mixed or 16-mixed",
        )
    keys = keys_of(config, _Keys)
    run = open_run(keys.run)
    take_over(config, run.config(), overrides)
    config = assembly.with_absolute_paths(config)
    checkpoint = keys.ckpt or checkpoint_of(run)
    module = assembly.build_regression(config)
    assembly.load_checkpoint(module, checkpoint)
    trainer = assembly.build_trainer(config)
    device = trainer.strategy.root_device
    return TrainedNetwork(run, config, checkpoint, module.eval().to(device), device, trainer)
