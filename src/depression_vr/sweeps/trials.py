"""What became of a trial: its run directory says it, whatever its launcher says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from depression_vr.errors import Problem, UserError
from depression_vr.runs.listing import summary_of
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run
from depression_vr.settings import changed, determining_settings
from depression_vr.sweeps.standing import Standing, folder_of, standing_of
from depression_vr.sweeps.study import DEVELOPMENT_MAE

ERROR = "error"
"""User attribute of a failed trial."""
_KILLS = "times killed"
_KILLED_AFTER = "killed after checkpoint"
_MOST_KILLS = 2
_CORPUS = "corpus"


@dataclass(frozen=True)
class Launch:
    """What a launcher has said of a trial, which may have left a record that says more.

    Attributes:
        raised: the error of the trial.
        lost: why nothing is known of the trial, such as that its process was killed.
        began: whether the trial has begun, or gone on, since it was launched.
    """

    raised: str = ""
    lost: str = ""
    began: bool = True


def settle(study: Study, number: int, folder: Path, launch: Launch) -> bool:
    """Tell the study how a trial has ended.

    Args:
        study: of the trial.
        number: of the trial, which the study has as running.
        folder: its run directory, which nobody is working on.
        launch: what its launcher has said, for a trial whose record does not say how it ended.

    Returns:
        Whether it has ended; else it is to go on from its checkpoint, or to begin.
    """
    standing = standing_of(folder)
    if standing == Standing.ENDED:
        _tell_the_end(study, number, folder)
        return True
    if launch.raised:  # also of a trial that was refused to go on, or could not write its record any more
        fail(study, number, launch.raised)
        return True
    if not launch.began or standing == Standing.INTERRUPTED:
        return False
    kills = _kills(study, number, folder)
    if kills < _MOST_KILLS:
        return False
    said = f": {launch.lost}" if launch.lost else ""
    fail(
        study,
        number,
        f"its process was killed {kills} times at the same place, perhaps because memory ran out{said}",
    )
    return True


def _kills(study: Study, number: int, folder: Path) -> int:
    """How often the trial was killed since its last checkpoint, this time included."""
    trial = _trial(study, number)
    newest = next((file.name for file in resume_files(Run(folder).checkpoints)), None)
    before = trial.user_attrs.get(_KILLS, 0) if trial.user_attrs.get(_KILLED_AFTER) == newest else 0
    study._storage.set_trial_user_attr(trial._trial_id, _KILLED_AFTER, newest)
    study._storage.set_trial_user_attr(trial._trial_id, _KILLS, before + 1)
    return int(before + 1)


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
    else:
        trial = _trial(study, number)
        study._storage.set_trial_user_attr(trial._trial_id, DEVELOPMENT_MAE, summary.development_mae)
        if Run(folder).record().get("stopped_early"):
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


def refuse_foreign_trials(study: Study, folder: Path) -> None:
    """Refuse a sweep folder with trials that the study does not know.

    Raises:
        UserError: there are some.
    """
    ours = {folder_of(folder, trial.number) for trial in study.get_trials(deepcopy=False)}
    others = sorted(path for path in folder.glob("trial_*") if path not in ours)
    if others:
        raise UserError(
            f"the folder holds {others[0].name}, of which the study {study.study_name} knows nothing",
            where=str(folder),
            fix="go on with the study that it belongs to, or name another folder for this one: "
            "hydra.sweep.dir=FOLDER",
        )


def refuse_another_run(folder: Path, settings: Mapping[str, str]) -> None:
    """Refuse a run directory with another run than the trial whose it should be.

    Args:
        folder: the run directory, or where it is going to be.
        settings: all that the trial's result depends on.

    Raises:
        UserError: they differ.
    """
    run = Run(folder)
    if not run.config_file.is_file():
        return
    different = changed(determining_settings(run.config()), settings)
    if problems := [Problem(key, f"{there} there, {ours} in the study") for key, there, ours in different]:
        raise UserError(
            "the run directory does not hold this study's trial, but a run with other settings:",
            where=str(folder),
            problems=problems,
            fix="move the run away, or sweep in another folder: hydra.sweep.dir=FOLDER",
        )
