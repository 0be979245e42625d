"""Run directories as trainings leave them, with their W&B runs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import wandb

from depression_vr.loggers.wandb_reach import Mode
from depression_vr.loggers.weights_and_biases import wandb_logger
from depression_vr.runs.process import this_process
from depression_vr.runs.run import Run


def run_directory(folder: Path, status: str = "finished") -> Path:
    """A run directory with a record; one that is running is of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    process = this_process() if status == "running" else None
    record = {"status": status, "started": datetime.now(UTC).isoformat(), "process": process}
    Run(folder).record_file.write_text(json.dumps(record))
    return folder


def wandb_files(run: Path, name: str, *, is_sent: bool = False) -> Path:
    """The folder of a W&B run, with an empty log."""
    folder = run / "wandb" / name
    folder.mkdir(parents=True)
    log = folder / f"run-{name.rpartition('-')[2]}.wandb"
    log.touch()
    if is_sent:
        log.with_suffix(".wandb.synced").touch()
    return folder


def log_rows(folder: Path, rows: int, *, after: int = 0, mode: Mode = "offline") -> str:
    """Log rows of a development MAE that falls from 20 on; returns the W&B run's id.

    Args:
        folder: the run directory.
        rows: how many the run has then.
        after: how many a process before has left, which this one goes on after.
        mode: as the logger takes it.
    """
    logger = wandb_logger("depression-vr", "sta_drn_seed0", str(folder), mode=mode)
    if after:
        logger.resume_at(after)
    for epoch in range(after, rows):
        logger.log_metrics({"development/mae": 20.0 - epoch, "epoch": epoch}, step=epoch)
    logger.end(0)
    wandb.teardown()
    return str(logger.version)
