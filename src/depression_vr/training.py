"""A training from its config to its results, in a run directory."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from depression_vr import assembly
from depression_vr.callbacks.median_stopping import early_stop
from depression_vr.callbacks.precision import float32_layers
from depression_vr.callbacks.preflight import refuse_resuming_without_callback, refuse_wrong_gradients
from depression_vr.callbacks.selection import refuse_selection_without_development
from depression_vr.callbacks.stopping import CLUSTER_WARNINGS, ended_by_signals
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.distributed.processes import leads
from depression_vr.errors import StoppedError
from depression_vr.files import remove_half_written
from depression_vr.intervals.calibration import CONFIDENCE
from depression_vr.learning.compiling import (
    compiler_faults_explained,
    is_compiled,
    refuse_without_compiler,
)
from depression_vr.learning.faults import faults_explained
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.loggers.results import ended_loggers, log_results
from depression_vr.loggers.resumable import resume_loggers
from depression_vr.memory import freed_memory_kept
from depression_vr.runs.provenance import hardware
from depression_vr.runs.record import RunRecord
from depression_vr.runs.resume_files import remove_resume_files
from depression_vr.runs.run import Run
from depression_vr.settings import run_fingerprint, shareable_config
from depression_vr.slurm import requeue_slurm_job
from depression_vr.unfinished import (
    checkpoint_to_go_on_from,
    refuse_a_live_run,
    way_on_told,
)


def train(config: DictConfig, run: Run, overrides: Sequence[str], *, resumes: bool = False) -> float:
    """Train, evaluate the chosen checkpoint on the test partition and write everything to the run directory.

    Args:
        config: of a training.
        run: where to write.
        overrides: of the command line, for the record.
        resumes: go on from the newest checkpoint that is whole; from the beginning where there is none.

    Returns:
        The best development MAE in points; NaN where nothing was selected by it.

    Raises:
        UserError: the config, the corpus or what became of the training.
        StoppedError: a signal has stopped it.
    """
    refuse_without_compiler(config)
    if resumes and leads(config):
        refuse_a_live_run(run)
    record = RunRecord(run, config, overrides, resumes=resumes)
    try:
        with ended_by_signals(), record, way_on_told(run, record):
            best = _train_and_evaluate(config, run, record, resumes)
    except StoppedError as stopped:
        # SIGTERM is also what scancel sends
        if config.get("requeue") and stopped.by in CLUSTER_WARNINGS and record.writes:
            requeue_slurm_job()
        raise
    if record.writes:
        remove_resume_files(run.checkpoints)
    return best


def _train_and_evaluate(config: DictConfig, run: Run, record: RunRecord, resumes: bool) -> float:
    if resumes and record.writes:
        remove_half_written(run.folder)
    checkpoint = checkpoint_to_go_on_from(run) if resumes else None
    datamodule = assembly.build_datamodule(config)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    module = assembly.build_regression(config)
    trainer = assembly.build_trainer(config)
    refuse_wrong_gradients(trainer)
    refuse_selection_without_development(trainer, datamodule)
    refuse_resuming_without_callback(trainer, run.checkpoints, checkpoint)
    datamodule.require_partitions()
    assembly.note_corpus(record, datamodule)
    record.note(fingerprint=run_fingerprint(config, datamodule.manifest.fingerprint))
    assembly.note_effective_batch(record)
    module.scale.fit(datamodule.training_labels())
    if is_compiled(config):
        module.compile_training()
    if resumes:
        resume_loggers(trainer.loggers, checkpoint)
    if checkpoint is not None:  # says what does not fit, as Lightning does not
        assembly.load_checkpoint(module, checkpoint)
    with ended_loggers(trainer.loggers):
        return _fit_and_evaluate(config, run, record, trainer, module, datamodule, checkpoint)


def _fit_and_evaluate(
    config: DictConfig,
    run: Run,
    record: RunRecord,
    trainer: pl.Trainer,
    module: ScoreRegression,
    datamodule: ClipDataModule,
    checkpoint: Path | None,
) -> float:
    settings = shareable_config(config) | _shareable_facts(record)
    for logger in trainer.loggers:
        logger.log_hyperparams(settings)

    on_cpu = trainer.strategy.root_device.type == "cpu"
    memory = freed_memory_kept() if on_cpu else nullcontext()
    with faults_explained(config, "training"), compiler_faults_explained(config), memory:
        trainer.fit(module, datamodule, ckpt_path=checkpoint, weights_only=True)
    if trainer.world_size > 1:  # processes share the cores
        record.note(hardware=hardware())

    best = assembly.best_development_mae(trainer)
    record.note(
        best_development_mae=best,
        checkpoint=run.best_checkpoint.name,
        float32_layers=float32_layers(trainer),
        stopped_early=early_stop(trainer),
    )
    assembly.load_checkpoint(module, run.best_checkpoint)
    assembly.calibrate_intervals(run, record, trainer, module, datamodule)
    assembly.evaluate(run, record, trainer, module, datamodule, calibrated=run, confidence=CONFIDENCE)
    if record.writes:
        log_results(trainer.loggers, run, datamodule.manifest)
    return best


def _shareable_facts(record: RunRecord) -> dict[str, Any]:
    """What of the record tells runs apart, for loggers; other processes than the first know less of it."""
    return {
        "fingerprint": record.facts["fingerprint"],
        "dataset_fingerprint": record.facts["dataset"]["fingerprint"],
        "commit": record.facts.get("git_commit"),
    }
