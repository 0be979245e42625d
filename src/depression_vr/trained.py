"""A trained run, opened again: its config, its network with the chosen weights, and clips for it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor

from depression_vr import assembly
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.frames import FrameFolder
from depression_vr.errors import UserError
from depression_vr.files import content_digest
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.inference import for_inference
from depression_vr.parallel import Tick
from depression_vr.runs.run import Run, open_run

log = logging.getLogger(__name__)

CLIP_KEYS = ("clip_length", "frame_step", "size", "read_at", "regions", "normalisation")
ROLE_KEYS = ("fold", "data.fold", "data.folds", "data.protocol")
ONE_VIEW = {"read_at": "size", "regions": [{"_target_": "depression_vr.data.regions.Region"}]}
"""What runs did that were recorded before there were these keys."""
_PRECISIONS = {
    "32-true": None, "32": None, 32: None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16,
}  # fmt: skip
"""To what factors are rounded, by Lightning's names; None for not at all."""


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

    @cached_property
    def scores(self) -> Callable[..., Tensor]:
        """Scores ``(B,)`` in points of normalised views, as `evaluate` computes them."""
        with self.computing():
            fast = for_inference(self.module.network)

        def scores(*views: Tensor) -> Tensor:
            with self.computing():
                return self.module.scale.score(fast(*views).float())

        return scores

    def window_scores(self, folder: FrameFolder, tick: Tick = lambda: None) -> pd.DataFrame:
        """Scores of the windows of one video.

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
        rows = []
        for window in video:
            views = video.views(video.read(window).pixels[None], self.device)
            frames = int(window.frames[0]), int(window.frames[-1])
            rows.append((window.window, *frames, self.scores(*views).item(), video.reader.substituted))
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
    """
    if config.precision not in _PRECISIONS:
        raise UserError(
            f"nothing is computed in precision={config.precision} here",
            where="config key precision",
            fix="use 32-true, bf16-mixed or 16-mixed",
        )
    run = open_run(Path(config.run))
    take_over(config, run.config(), overrides)
    config = assembly.with_absolute_paths(config)
    checkpoint = run.best_checkpoint if config.ckpt is None else Path(config.ckpt)
    module = assembly.build_regression(config)
    assembly.load_checkpoint(module, checkpoint)
    trainer = assembly.build_trainer(config)
    device = trainer.strategy.root_device
    return TrainedNetwork(run, config, checkpoint, module.eval().to(device), device, trainer)


def take_over(config: DictConfig, trained: DictConfig, overrides: Sequence[str]) -> None:
    """Use the network of a run, and its corpus unless the command line names another.

    Single keys of the command line count in both; clips of another corpus are cut as the run cut them. Who
    is trained on and who is tested in the run's own corpus was settled by its training.

    Args:
        config: of the command; changed.
        trained: of the run.
        overrides: of the command line.

    Raises:
        UserError: an override does not go together with a run.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    if any(override.key_or_group in ("model", "optim") for override in parsed):
        raise UserError(
            "a run brings its own network", where="config keys run and model", fix="leave model= out"
        )
    with open_dict(config):
        recorded: Any = OmegaConf.merge(ONE_VIEW, trained.data)
        for key in ("network", "model", "input", "optim"):
            config[key] = trained[key]
        if "imported" in trained:
            config.imported = trained.imported
        if any(override.key_or_group == "data" for override in parsed):
            recorded = OmegaConf.merge(config.data, {key: recorded[key] for key in CLIP_KEYS})
        else:
            _refuse_other_roles([override.key_or_group for override in parsed])
        config.data = recorded
        for override in parsed:
            if override.key_or_group.startswith(("model.", "optim.", "data.")):
                OmegaConf.update(config, override.key_or_group, override.value(), force_add=True)
        config.data.evaluate_on = config.partition
        config.fold = OmegaConf.select(config, "data.fold")  # which counts


def _refuse_other_roles(keys: list[str]) -> None:
    changed = [key for key in keys if key in ROLE_KEYS]
    if changed:
        raise UserError(
            "a run brings the roles of its corpus's videos: others would test it on videos it was trained on",
            where=f"config keys run and {', '.join(changed)}",
            fix="leave them out and use partition=..., or name the corpus too, data=..., to deal it anew",
        )
