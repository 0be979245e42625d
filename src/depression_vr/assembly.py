"""Builds the parts of a run from its config and carries results between rooms."""

import math
from pathlib import Path

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import ModelCheckpoint

from depression_vr.data.datamodule import ClipDataModule
from depression_vr.entry import build
from depression_vr.errors import UserError
from depression_vr.learning.evaluation import score_windows
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.weights import load_state, read_state
from depression_vr.runs.record import RunRecord
from depression_vr.runs.results import write_results
from depression_vr.runs.run import Run


def build_datamodule(config: DictConfig) -> ClipDataModule:
    """Find and validate the corpus.

    Raises:
        UserError: with every problem of the corpus.
    """
    datamodule: ClipDataModule = build(config.data)
    return datamodule


def build_regression(config: DictConfig) -> ScoreRegression:
    """Network, scale and, for training, loss, optimizer and schedule."""
    learning = {str(key): build(part) for key, part in config.optim.items()}
    return ScoreRegression(network=build(config.model), **learning)


def build_trainer(config: DictConfig) -> pl.Trainer:
    """Lightning's trainer with callbacks and loggers."""
    callbacks = [build(callback) for callback in config.callbacks.values()]
    loggers = [build(logger) for logger in config.logger.values()]
    trainer: pl.Trainer = build(config.trainer, callbacks=callbacks, logger=loggers)
    return trainer


def refuse_wrong_gradients(trainer: pl.Trainer) -> None:
    """Refuse low-precision training on a CPU.

    torch computes wrong weight gradients there for 3D convolutions over maps of two time steps, without
    any error, and a network of clips of 16 frames has such maps.

    Raises:
        UserError: the trainer is about to do that.
    """
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.precision != "32-true":
        raise UserError(
            f"training in {trainer.precision} on a CPU gives wrong gradients for some convolutions "
            f"(torch {torch.__version__}, maps of two time steps)",
            where="config key trainer.precision",
            fix="use trainer.precision=32-true; evaluation may use bf16-mixed",
        )


def best_development_mae(trainer: pl.Trainer) -> float:
    """The lowest development MAE of a training, in points; NaN where no checkpoint was chosen by it."""
    chosen = trainer.checkpoint_callback
    if not isinstance(chosen, ModelCheckpoint) or chosen.best_model_score is None:
        return math.nan
    return chosen.best_model_score.item()


def load_checkpoint(module: ScoreRegression, path: Path) -> None:
    """Load a checkpoint of this project, or bare network weights, which leave the scale as it is.

    Raises:
        UserError: the file is no checkpoint, or does not fit.
    """
    scale = {f"scale.{name}": tensor for name, tensor in module.scale.state_dict().items()}
    load_state(module, scale | read_state(path), path)


def note_corpus(record: RunRecord, datamodule: ClipDataModule) -> None:
    """Write what the corpus is, and what is suspicious about it, into the record."""
    manifest = datamodule.manifest
    record.note(
        dataset={
            "corpus": manifest.corpus,
            "fingerprint": manifest.fingerprint(),
            "videos": {str(k): int(v) for k, v in manifest.table["partition"].value_counts().items()},
            "frames": sum(map(len, manifest.folders)),
        },
        warnings={
            "count": len(datamodule.warnings),
            "first": [str(warning) for warning in datamodule.warnings[:20]],
        },
    )
    if datamodule.warnings:
        print(f"{len(datamodule.warnings)} warnings about the corpus, such as {datamodule.warnings[0]}")


def evaluate(
    run: Run, record: RunRecord, trainer: pl.Trainer, module: ScoreRegression, datamodule: ClipDataModule
) -> None:
    """Score every window of the evaluated partition and write predictions and metrics."""
    windows = score_windows(trainer, module, datamodule)
    manifest = datamodule.manifest
    write_results(
        run,
        windows,
        manifest.table,
        corpus=manifest.corpus,
        partition=datamodule.evaluate_on,
        maximum=manifest.maximum,
        references=datamodule.corpus.references(manifest, datamodule.evaluate_on),
    )
    record.note(substituted_frames=datamodule.substituted_frames)
