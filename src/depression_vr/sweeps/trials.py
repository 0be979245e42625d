"""What became of a trial: its run directory says it, whatever its launcher says."""

import math
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import psutil
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from depression_vr.errors import UserError
from depression_vr.runs.listing import summary_of
from depression_vr.runs.run import Run

ERROR = "error"
"""User attribute of a failed trial."""
_KILLS = "times killed"
_MOST_KILLS = 2
_CORPUS = "corpus"
_SECONDS_OF_SILENCE = 1800.0
"""After which a run on another machine counts as killed. It writes a checkpoint every 10 minutes."""


@dataclass(frozen=True)
class Launch:
    """What a launcher has said of a trial, which may have left a record that says more.

    Attributes:
        raised: the error of the trial.
        lost: why nothing is known of the trial, such as that its process was killed.
    """

    raised: str = ""
    lost: str = ""


class Standing(Enum):
    """Of a trial's run directory, when nobody is known to work on it or to wait for it."""

    ABSENT = "not begun"
    ALIVE = "under way"
    ENDED = "finished or failed"
    INTERRUPTED = "asked to stop, goes on"
    KILLED = "killed, goes on"


def folder_of(sweep: Path, number: int) -> Path:
    """The run directory of a trial."""
    return sweep / f"trial_{number:03d}"


def standing_of(folder: Path) -> Standing:
    """How the trial in a run directory stands."""
    if not Run(folder).record_file.is_file():
        return Standing.ABSENT
    status = summary_of(folder).status
    if status == "interrupted":
        return Standing.INTERRUPTED
    if status == "killed" or (status == "running" and (_is_this_process(folder) or _is_silent(folder))):
        return Standing.KILLED
    return Standing.ALIVE if status == "running" else Standing.ENDED


def _is_this_process(folder: Path) -> bool:
    process = Run(folder).record().get("process") or {}
    return process.get("pid") == os.getpid()


def _is_silent(folder: Path) -> bool:
    """Whether a run of another machine, of whose process nothing is known, has written nothing for long."""
    process = Run(folder).record().get("process") or {}
    if process.get("host") == platform.node():
        return False
    newest = max(path.stat().st_mtime for path in _files(folder))
    return time.time() - newest > _SECONDS_OF_SILENCE


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def process_of(folder: Path) -> psutil.Process | None:
    """The living process of this machine, other than this one, that trains in a run directory."""
    if not Run(folder).record_file.is_file() or summary_of(folder).status != "running":
        return None
    process = Run(folder).record().get("process") or {}
    if process.get("host") != platform.node() or process["pid"] == os.getpid():
        return None
    try:
        return psutil.Process(process["pid"])
    except psutil.NoSuchProcess:
        return None


def settle(study: Study, number: int, folder: Path, launch: Launch) -> bool:
    """Tell the study how a trial has ended.

    Args:
        study: of the trial.
        number: of the trial, which the study has as running.
        folder: its run directory, which nobody is working on.
        launch: what its launcher has said, for a trial that has left no record.

    Returns:
        Whether it has ended; else it is to go on from its checkpoint, or to begin.
    """
    standing = standing_of(folder)
    if standing == Standing.ENDED:
        _tell_the_end(study, number, folder)
        return True
    if standing == Standing.INTERRUPTED:
        return False
    if standing == Standing.ABSENT and launch.raised:
        fail(study, number, launch.raised)
        return True
    trial = _trial(study, number)
    kills = trial.user_attrs.get(_KILLS, 0) + 1
    study._storage.set_trial_user_attr(trial._trial_id, _KILLS, kills)
    if kills < _MOST_KILLS:
        return False
    said = f": {launch.lost}" if launch.lost else ""
    fail(study, number, f"its process was killed {kills} times, perhaps because memory ran out{said}")
    return True


def was_killed(study: Study, number: int) -> bool:
    """Whether the trial has been killed before."""
    return bool(_trial(study, number).user_attrs.get(_KILLS))


def fail(study: Study, number: int, error: str) -> None:
    """Tell the study that a trial has failed, and why."""
    study._storage.set_trial_user_attr(_trial(study, number)._trial_id, ERROR, error)
    study.tell(number, state=TrialState.FAIL)


def _tell_the_end(study: Study, number: int, folder: Path) -> None:
    summary = summary_of(folder)
    if summary.status != "finished":
        fail(study, number, _error(folder) or summary.remark)
    elif summary.development_mae is None or not math.isfinite(summary.development_mae):
        fail(study, number, "it has no development MAE, by which trials are compared")
    elif not _is_of_the_corpus(study, Run(folder)):
        fail(study, number, "its corpus is not the one that the study began with: begin another study")
    elif Run(folder).record().get("stopped_early"):
        study.tell(number, state=TrialState.PRUNED)
    else:
        study.tell(number, summary.development_mae)


def _is_of_the_corpus(study: Study, run: Run) -> bool:
    fingerprint = run.record()["dataset"]["fingerprint"]
    if _CORPUS not in study.user_attrs:
        study.set_user_attr(_CORPUS, fingerprint)
    return bool(study.user_attrs[_CORPUS] == fingerprint)


def _error(folder: Path) -> str:
    if summary_of(folder).status == "damaged":
        return ""
    error: Any = Run(folder).record().get("error", "")
    return str(error).removeprefix(f"{UserError.__name__}: ")


def _trial(study: Study, number: int) -> FrozenTrial:
    return study.get_trials(deepcopy=False)[number]
