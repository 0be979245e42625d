"""A run directory: where its files are, and opening it again."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from depression_vr.errors import UserError
from depression_vr.runs.predictions import read_predictions

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Run:
    """Names of the files of one run.

    Attributes:
        folder: the run directory.
    """

    folder: Path

    @property
    def config_file(self) -> Path:
        """The resolved config, YAML."""
        return self.folder / "config.yaml"

    @property
    def record_file(self) -> Path:
        """What the run was made with and how it ended, JSON."""
        return self.folder / "record.json"

    @property
    def diff_file(self) -> Path:
        """Uncommitted changes to the code."""
        return self.folder / "code.diff"

    @property
    def metrics_file(self) -> Path:
        """Metrics of the evaluated partition, JSON."""
        return self.folder / "metrics.json"

    @property
    def predictions_file(self) -> Path:
        """One row per video, CSV."""
        return self.folder / "predictions.csv"

    @property
    def windows_file(self) -> Path:
        """One row per window, CSV."""
        return self.folder / "predictions_windows.csv"

    @property
    def frames_file(self) -> Path:
        """Digests of the frames of every video, CSV."""
        return self.folder / "frames.csv"

    @property
    def curves_file(self) -> Path:
        """What was logged, one row per step, CSV."""
        return self.folder / "logs" / "metrics.csv"

    @property
    def reproduction_file(self) -> Path:
        """How this run compares with the one that it reproduces, JSON."""
        return self.folder / "reproduction.json"

    @property
    def calibration_file(self) -> Path:
        """What intervals around estimates are computed from, JSON."""
        return self.folder / "calibration.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint with the lowest development MAE, or the last where there is no best.

        Raises:
            UserError: there is neither.
        """
        for name in ("best.ckpt", "last.ckpt"):
            if (self.checkpoints / name).is_file():
                return self.checkpoints / name
        raise UserError("the run has no checkpoint", where=str(self.checkpoints), fix="train it first")

    def config(self) -> DictConfig:
        """The resolved config.

        Raises:
            UserError: the file is damaged.
        """
        try:
            config = OmegaConf.load(self.config_file)
        except (YAMLError, OSError, ValueError) as error:
            raise UserError(
                f"the run's config is damaged: {error}", where=str(self.config_file), fix="use another run"
            ) from error
        if not isinstance(config, DictConfig):
            raise UserError("the run's config is damaged", where=str(self.config_file), fix="use another run")
        return config

    def config_digest(self) -> str:
        """SHA-256 of the config file."""
        return hashlib.sha256(self.config_file.read_bytes()).hexdigest()

    @property
    def is_finished(self) -> bool:
        """Whether it has been trained and evaluated to its end."""
        return self.record_file.is_file() and self.record().get("status") == "finished"

    def refuse_imported(self) -> None:
        """Refuse a run of weights that were imported.

        Raises:
            UserError: it is one.
        """
        if self.record_file.is_file() and self.record().get("kind") == "imported":
            raise UserError(
                "the run holds imported weights: there is no training to go on with or to repeat",
                where=str(self.folder),
                fix="name a run that was trained",
            )

    def record(self) -> dict[str, Any]:
        """The record.

        Raises:
            UserError: the file is damaged, or not there.
        """
        return _read_json(self.record_file)

    def metrics(self) -> dict[str, Any]:
        """The metrics.

        Raises:
            UserError: the file is damaged, or not there.
        """
        return _read_json(self.metrics_file)

    def predictions(self) -> pd.DataFrame:
        """One row per video; see `read_predictions`.

        Raises:
            UserError: the file is damaged, or not there, or the metrics are not of it.
        """
        videos = read_predictions(self.predictions_file)
        mae = (videos["estimate"] - videos["label"]).abs().mean(skipna=False)
        recorded = self.metrics().get("videos", {}).get("mae")  # null where it is no number
        if abs(mae - recorded) > _ROUNDING if recorded is not None else np.isfinite(mae):
            raise UserError(
                f"{self.metrics_file.name} and {self.predictions_file.name} disagree",
                where=str(self.folder),
                fix="use another run",
            )
        return videos


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"a file of the run cannot be read: {error}", where=str(file), fix="use another run"
        ) from error
    if not isinstance(content, dict):
        raise UserError("a file of the run is damaged", where=str(file), fix="use another run")
    return content


def open_run(folder: Path) -> Run:
    """Open the directory of a finished or interrupted run.

    Raises:
        UserError: it is no run directory.
    """
    run = Run(folder)
    if not run.config_file.is_file():
        raise UserError(
            f"this is no run directory: it has no {run.config_file.name}",
            where=str(folder),
            fix="give the directory that training printed at its end: run=outputs/...",
        )
    return run
