"""What a comparison takes from a run directory, or why it takes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import AwareDatetime, BaseModel, ValidationError

from depression_vr.comparison.progress import all_done
from depression_vr.errors import UserError, first_line
from depression_vr.experiments.recipes import Published
from depression_vr.runs.bands import BDI_MAXIMUM
from depression_vr.runs.listing import RunSummary, summary_of
from depression_vr.runs.run import Run
from depression_vr.settings import determining_settings, settings_fingerprint

KEYS = ("video_id", "subject", "task", "recording")
CHECKPOINT = "checkpoint"
"""Stands for the training of a checkpoint from elsewhere."""
_KFOLD = "subject_disjoint_kfold"
_CURVES = {"training/mae_epoch": "training", "development/mae": "development"}
_OF_ONE_REPLICATE = ("seed", "data.seed", "data.fold")


class _Dataset(BaseModel):
    protocol: str | None = None
    fold: int | None = None


class _Record(BaseModel):
    """What a comparison takes from ``record.json``."""

    started: AwareDatetime
    fingerprint: str | None = None
    checkpoint: str | None = None
    contents: str | None = None
    stopped_early: dict[str, Any] | None = None
    dataset: _Dataset = _Dataset()


class _Metrics(BaseModel):
    """What a comparison takes from ``metrics.json``."""

    corpus: str


@dataclass(frozen=True)
class FinishedRun:
    """A run that has been trained and tested to its end.

    Attributes:
        folder: the run directory.
        started: when it began.
        network: its config's name.
        corpus: that it was tested on.
        experiment: name of the recipe; None where it was made without one.
        seed: of the run; None for a checkpoint from elsewhere.
        fold: the tested one of ``folds``; None without folds.
        folds: how many there are; None without folds.
        fingerprint: runs that should agree share it.
        config: as it was recorded.
        settings: what the fingerprint stands for: keys of the config with dots, and their values.
        stopped_early: whether a sweep ended its training before its last epoch.
        published: what was published of the recipe on this corpus.
        maximum: highest score of the scale.
        videos: ``video_id, subject, task, recording, label, estimate``, a row per test video.
        curves: ``epoch, training, development``: MAE in points, NaN where it was not logged. Empty where
            the run has no log in CSV.
    """

    folder: Path
    started: datetime
    network: str
    corpus: str
    experiment: str | None
    seed: int | None
    fold: int | None
    folds: int | None
    fingerprint: str
    config: DictConfig
    settings: Mapping[str, str]
    stopped_early: bool
    published: Published | None
    maximum: float
    videos: pd.DataFrame
    curves: pd.DataFrame


@dataclass(frozen=True)
class LeftOut:
    """A run directory that takes no part, and why.

    Attributes:
        folder: the run directory.
        reason: in our words, which name nobody.
        detail: in those of an error, which may name videos and files.
    """

    folder: Path
    reason: str
    detail: str = ""


def read_runs(folders: Sequence[Path]) -> list[FinishedRun | LeftOut]:
    """Every run directory, in their order, with a progress bar."""
    return all_done(read_run, folders, "reading", "runs")


def read_run(folder: Path) -> FinishedRun | LeftOut:
    """The run in a directory, or the reason why it cannot be compared."""
    summary = summary_of(folder)
    if summary.status != "finished":
        return LeftOut(folder, summary.status, summary.remark)
    if summary.partition != "test":
        reason = f"evaluated on the {summary.partition} partition, not on test"
        never = "imported weights, which were not evaluated"
        return LeftOut(folder, reason if summary.partition else never)
    run = Run(folder)
    try:
        config = run.config()
        if config.get("run") is not None and config.get("imported") is None:
            return LeftOut(folder, "an evaluation of another run, and does not know that run's seed")
        return _read(run, config, summary)
    except UserError as error:
        return LeftOut(folder, "damaged", error.what)
    except (OSError, ValueError, OmegaConfBaseException) as error:
        return LeftOut(folder, "damaged", f"{type(error).__name__}: {first_line(error)}")


def _read(run: Run, config: DictConfig, summary: RunSummary) -> FinishedRun:
    record = _Record.model_validate(run.record())
    metrics = _Metrics.model_validate(run.metrics())
    videos = run.predictions()[[*KEYS, "label", "estimate"]]
    if not np.isfinite(videos["estimate"]).all():
        raise ValueError(f"{run.predictions_file.name} has an estimate that is no number")
    if not isinstance(config.get("data"), DictConfig):
        raise ValueError(f"{run.config_file.name} names no corpus")
    fingerprint, folds = record.fingerprint, None
    if record.dataset.protocol == _KFOLD:
        folds = int(config.data.folds)
        fingerprint = f"{_fingerprint_of_all_folds(config)} {record.contents}"
    settings = {
        key: value for key, value in determining_settings(config).items() if key not in _OF_ONE_REPLICATE
    }
    if fingerprint is None:  # an evaluation: what a checkpoint from elsewhere was trained with is not known
        fingerprint = f"checkpoint {record.checkpoint} {settings_fingerprint(config)}"
        imported = OmegaConf.select(config, "imported.file")
        settings[CHECKPOINT] = imported or Path(str(record.checkpoint)).name
    return FinishedRun(
        folder=run.folder,
        started=record.started,
        network=str(config.network),
        corpus=metrics.corpus,
        experiment=config.get("experiment") or _recipe(config, summary),
        seed=None if CHECKPOINT in settings else int(config.seed),
        fold=None if folds is None else record.dataset.fold,
        folds=folds,
        fingerprint=fingerprint,
        config=config,
        settings=settings,
        stopped_early=record.stopped_early is not None,
        published=_published(config, metrics.corpus),
        maximum=float(OmegaConf.select(config, "data.maximum", default=BDI_MAXIMUM)),
        videos=videos,
        curves=_curves(run),
    )


def _recipe(config: DictConfig, summary: RunSummary) -> str | None:
    """The recipe of a run from before its config named it; without one the summary has the run's name."""
    return None if summary.experiment == config.name else summary.experiment


def _fingerprint_of_all_folds(config: DictConfig) -> str:
    whole = config.copy()
    whole.data.fold = None
    return settings_fingerprint(whole)


def _published(config: DictConfig, corpus: str) -> Published | None:
    recipe = config.get("recipe")
    if recipe is None or recipe.get("published") is None or recipe.corpus.lower() != corpus.lower():
        return None
    try:
        content: Any = OmegaConf.to_container(recipe.published)
        return Published.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"recipe.published: {error.errors()[0]['msg']}") from error


def _curves(run: Run) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["epoch", *_CURVES.values()], dtype=float)
    if not run.curves_file.is_file() or not run.curves_file.stat().st_size:
        return empty
    rows = pd.read_csv(run.curves_file)
    if "epoch" not in rows:
        return empty
    logged = rows.reindex(columns=["epoch", *_CURVES]).rename(columns=_CURVES)
    # training and development of an epoch are rows of their own; of a resumed one the last row counts
    return logged.groupby("epoch").last().dropna(how="all").reset_index().astype(float)
