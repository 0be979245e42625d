"""Builds the parts of a run from its config and carries results between rooms."""

import inspect
import logging
import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.accelerators import CPUAccelerator, CUDAAccelerator
from pytorch_lightning.loggers import Logger
from torch import nn

from depression_vr.building import build
from depression_vr.callbacks.ranks import SameOnAllRanks
from depression_vr.callbacks.selection import BestOnDevelopment
from depression_vr.data.contents import contents_digest, frame_contents
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.leakage import overlap_warning, subject_overlap
from depression_vr.data.manifest import Manifest
from depression_vr.distributed.preflight import refuse_other_processes
from depression_vr.effective_batch import described, effective_batch
from depression_vr.errors import UserError
from depression_vr.faces.recorded import recorded_preprocessing
from depression_vr.files import write_csv
from depression_vr.intervals.calibration import write_calibration
from depression_vr.intervals.known_videos import was_selected
from depression_vr.intervals.networks import calibrate, intervals_for_partition
from depression_vr.learning.checkpoint_files import WholeCheckpoints
from depression_vr.learning.evaluation import score_windows
from depression_vr.learning.faults import faults_explained
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.inference import for_inference
from depression_vr.models.weights import load_state, read_state
from depression_vr.runs.record import RunRecord
from depression_vr.runs.results import video_table, write_results
from depression_vr.runs.run import Run
from depression_vr.settings import PATH_KEYS, common_settings

log = logging.getLogger(__name__)

_WARNINGS_SHOWN = 3
_WARNINGS_RECORDED = 20


def with_absolute_paths(config: DictConfig) -> DictConfig:
    """The config with the folders and files of its corpus made absolute, for use from any other folder."""
    absolute = config.copy()
    for key in PATH_KEYS:
        path = OmegaConf.select(absolute.data, key)
        if isinstance(path, str):
            absolute.data[key] = str(Path(path).expanduser().absolute())
    return absolute


def build_datamodule(config: DictConfig) -> ClipDataModule:
    """The clips of a corpus, which is found and validated at the first look.

    Raises:
        UserError: a setting is refused.
    """
    datamodule: ClipDataModule = build(config.data)
    return datamodule


def build_regression(config: DictConfig) -> ScoreRegression:
    """Network, scale and, for training, loss, optimizer and schedule.

    Raises:
        UserError: a part refuses its settings.
    """
    learning = {str(key): build(part) for key, part in config.optim.items()}
    network = build(config.model)
    _refuse_other_views(network, len(config.data.regions))
    module = ScoreRegression(network=network, for_evaluation=for_inference, **learning)
    rate = OmegaConf.select(config, "optim.optimizer.lr", default=0.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise UserError(f"{rate!r} is no learning rate", "config key optim.optimizer.lr", "give a number")
    try:  # the optimizer sees its settings only when it gets the parameters, which for Lightning is in fit
        if module.optimizer is not None:
            module.optimizer(module.network.parameters())
    except (TypeError, ValueError) as error:
        raise UserError(str(error), where="config key optim.optimizer", fix="correct the value") from error
    return module


def _refuse_other_views(network: nn.Module, regions: int) -> None:
    """Refuse a network that does not take one view of each region."""
    try:
        inspect.signature(network.forward).bind(*range(regions))
    except TypeError as error:
        raise UserError(
            f"the network {type(network).__name__} does not take {regions} views ({error})",
            where="config key data.regions",
            fix="give as many regions as the network has views, or leave them to the network's config",
        ) from error


def build_trainer(config: DictConfig) -> pl.Trainer:
    """Lightning's trainer with callbacks and loggers.

    Raises:
        UserError: a setting is refused.
    """
    _refuse_epochs_and_clipping(config.trainer)
    callbacks = _built(config.callbacks, "callbacks", pl.Callback)
    loggers = _built(config.logger, "logger", Logger)
    own = {"plugins": _plugins(), "deterministic": _deterministic(config.trainer)}
    try:
        trainer: pl.Trainer = build(config.trainer, callbacks=callbacks, logger=loggers, **own)
    except UserError as error:
        raise _in_our_words(error, config.trainer) from error
    refuse_other_processes(trainer, config)
    _set_tf32(config, on_gpu=isinstance(trainer.accelerator, CUDAAccelerator))
    if isinstance(trainer.accelerator, CPUAccelerator):
        # deterministic algorithms would fill all new memory, 8% of a step; ours never read what they have not
        # written
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, SameOnAllRanks):
            callback.settings = common_settings(config)
    return trainer


def _refuse_epochs_and_clipping(trainer: DictConfig) -> None:
    """Refuse what Lightning finds out in the middle of fit, or takes for something else."""
    epochs, norm = trainer.get("max_epochs"), trainer.get("gradient_clip_val")
    if epochs not in (None, -1) and (not isinstance(epochs, int) or epochs < 1):
        raise UserError(
            f"{epochs!r} is no number of epochs",
            where="config key trainer.max_epochs",
            fix="give a whole number, 1 or more",
        )
    if isinstance(norm, int | float) and norm < 0:
        raise UserError(
            f"gradients cannot be clipped at {norm}",
            where="config key trainer.gradient_clip_val",
            fix="give a positive number, or null for no clipping",
        )


def _in_our_words(error: UserError, trainer: DictConfig) -> UserError:
    """What Lightning says of this machine and of numbers, with our keys and what to do."""
    if error.what.startswith("Precision "):
        return UserError(
            f"{trainer.precision!r} is no precision",
            where="config key precision",
            fix="use 32-true, bf16-mixed or 16-mixed",
        )
    if "gpu backend" in error.what or "can not run on your system" in error.what:
        return UserError(
            f"trainer.accelerator={trainer.accelerator} is not to be found on this machine",
            where="config key trainer",
            fix="use trainer=cpu, or trainer=auto, which takes a GPU where there is one",
        )
    return error


def _set_tf32(config: DictConfig, *, on_gpu: bool) -> None:
    """Let a GPU round factors of float32 to TF32, or not.

    Null, as runs of earlier versions have it, sets nothing: PyTorch's choice is left as it is, or what a run
    before in this process has set.
    """
    wanted = config.get("tf32")
    if not isinstance(wanted, bool | None):
        raise UserError(f"{wanted!r} is no choice", where="config key tf32", fix="use true, false or null")
    if wanted is None or not on_gpu:
        return
    torch.set_float32_matmul_precision("high" if wanted else "highest")
    torch.backends.cudnn.allow_tf32 = wanted


def _deterministic(trainer: DictConfig) -> Any:
    """What Lightning is told; ``auto`` only warns on a GPU: not every backward kernel has such a form."""
    wanted = trainer.get("deterministic", False)
    if wanted != "auto":
        return wanted
    on_gpu = trainer.accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    return "warn" if on_gpu else True


def _plugins() -> list[Any]:
    """Whole checkpoints; and under SLURM no requeueing by Lightning, which would checkpoint in mid-step."""
    slurm = [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
    return [WholeCheckpoints(), *slurm]


def _built(nodes: DictConfig, key: str, kind: type) -> list[Any]:
    """The callbacks or loggers that are not null; Lightning takes any object, and fails at its first call."""
    built: list[Any] = []
    for name, node in nodes.items():
        if node is None:
            continue
        part = build(node) if OmegaConf.is_config(node) else node
        if not isinstance(part, kind):
            raise UserError(
                f"this is no {kind.__name__}",
                where=f"config key {key}.{name!s}",
                fix="give it the right _target_, or remove it",
            )
        built.append(part)
    return built


def note_effective_batch(record: RunRecord) -> None:
    """Say how many clips a step is made of, and with which learning rate; and write it into the record."""
    log.info(described(record.config))
    record.note(effective_batch=effective_batch(record.config).as_dict())


def best_development_mae(trainer: pl.Trainer) -> float:
    """The lowest development MAE of a training, in points; NaN where no checkpoint was chosen by it."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, BestOnDevelopment) and callback.best_model_score is not None:
            return callback.best_model_score.item()
    return math.nan


def load_checkpoint(module: ScoreRegression, path: Path) -> None:
    """Load a checkpoint of this project, or bare network weights, which leave the scale as it is.

    Raises:
        UserError: the file is no checkpoint, or does not fit.
    """
    scale = {f"scale.{name}": tensor for name, tensor in module.scale.state_dict().items()}
    load_state(module, scale | read_state(path), path)


def note_corpus(record: RunRecord, datamodule: ClipDataModule) -> None:
    """Write what the corpus is, and what is suspicious about it, into the record.

    Raises:
        UserError: the run goes on, and began with another corpus.
    """
    manifest = datamodule.manifest
    record.refuse_other_facts("dataset.fingerprint", manifest.fingerprint, "videos, scores and frame names")
    record.note(
        dataset={
            "corpus": manifest.corpus,
            "protocol": datamodule.split.protocol,
            "fold": datamodule.split.fold,
            "fingerprint": manifest.fingerprint,
            "videos": {str(k): int(v) for k, v in manifest.table["partition"].value_counts().items()},
            "frames": sum(map(len, manifest.folders)),
            "subject_overlap": subject_overlap(manifest),
            "preprocessing": _preprocessing(manifest) if record.writes else None,
        },
        warnings={
            "count": len(datamodule.warnings),
            "first": [str(warning) for warning in datamodule.warnings[:_WARNINGS_RECORDED]],
        },
    )
    if record.writes and record.config.get("record_contents"):
        contents = frame_contents(manifest)
        digest = contents_digest(contents)
        record.refuse_other_facts("contents", digest, "pixels of the frames")
        write_csv(record.run.frames_file, contents)
        record.note(contents=digest)
    overlap = overlap_warning(manifest)
    told = datamodule.warnings if overlap is None else (overlap, *datamodule.warnings)
    for warning in told[:_WARNINGS_SHOWN]:
        log.warning("warning: %s", warning)
    if len(told) > _WARNINGS_SHOWN:
        log.warning("and %d warnings more about the corpus", len(told) - _WARNINGS_SHOWN)


def _preprocessing(manifest: Manifest) -> dict[str, Any]:
    """What the frames of the training videos were made with."""
    folders = [manifest.folders[row] for row in manifest.rows("training")]
    return recorded_preprocessing([folder.path for folder in folders], [*map(len, folders)]).as_dict()


def calibrate_intervals(
    run: Run, record: RunRecord, trainer: pl.Trainer, module: ScoreRegression, datamodule: ClipDataModule
) -> None:
    """Store with a run how wrong its checkpoint is on the development partition, where there is one."""
    if not datamodule.selects:
        log.info("no intervals: data.protocol=%s leaves no videos to calibrate", datamodule.split.protocol)
        return
    with faults_explained(record.config, "evaluation"):
        calibration = calibrate(trainer, module, datamodule, "development", selected_on=was_selected(run))
    if calibration is not None and record.writes:
        write_calibration(run, calibration)


def evaluate(
    run: Run,
    record: RunRecord,
    trainer: pl.Trainer,
    module: ScoreRegression,
    datamodule: ClipDataModule,
    *,
    calibrated: Run | None,
    confidence: float,
) -> None:
    """Score every window of the evaluated partition and write predictions and metrics.

    Args:
        run: where to write.
        record: of the run.
        trainer: that evaluates.
        module: with the weights to evaluate.
        datamodule: of the corpus.
        calibrated: the run whose calibration gives intervals, if it belongs to the weights.
        confidence: of the intervals.

    Raises:
        UserError: what became of the evaluation; or the calibration is damaged.
    """
    intervals = intervals_for_partition(calibrated, module, datamodule, confidence)
    with faults_explained(record.config, "evaluation"):
        windows = score_windows(trainer, module, datamodule)
    substituted_frames = datamodule.substituted_frames()
    if not record.writes:
        return
    manifest = datamodule.manifest
    videos = video_table(windows, manifest.table)
    ends = intervals.columns(videos["estimate"].to_numpy(), videos["spread"].to_numpy())
    write_results(
        run,
        windows,
        manifest.table,
        corpus=manifest.corpus,
        partition=datamodule.evaluate_on,
        maximum=manifest.maximum,
        references=datamodule.corpus.references(manifest, datamodule.evaluate_on),
        interval_ends=ends,
        intervals=intervals.coverage(videos.join(ends)),
    )
    record.note(substituted_frames=substituted_frames)
