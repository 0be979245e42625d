"""The study of a sweep: opened, begun or gone on with."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from depression_vr.errors import Problem, UserError, first_line
from depression_vr.settings import changed
from depression_vr.sweeps.storage import open_storage

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
"""The trials that count: finished, and stopped early."""
STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "under way",
    TrialState.WAITING: "waiting",
}
"""What each state of a trial is called."""
DEVELOPMENT_MAE = "development_mae"
"""User attribute of such a trial: of one that was stopped early, Optuna's own value is its last epoch's."""
_BEGAN_WITH = "began_with"
_FOLDER = "folder"
_SAMPLERS = ("optuna.samplers.*", "hydra_plugins.hydra_optuna_sweeper.*")


def open_study(storage: str, name: str, folder: Path, settings: Mapping[str, str]) -> Study:
    """The study of this name, begun where there is none.

    Args:
        storage: as `open_storage` takes it.
        name: of the study.
        folder: of the sweep; a study keeps to it, until it is moved.
        settings: all that its trials have in common, and the search space; a study keeps to it.

    Raises:
        UserError: it cannot be opened, was begun with other settings, or has its trials elsewhere.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=open_storage(storage), study_name=name, direction="minimize", load_if_exists=True
        )
        began_with = study.user_attrs.get(_BEGAN_WITH)
        if began_with is None:
            study.set_user_attr(_BEGAN_WITH, dict(settings))
    except Exception as error:  # every database has its own
        raise UserError(
            f"the study {name} cannot be opened: {first_line(error)}",
            where=f"config key hydra.sweeper.storage: {storage}",
            fix="correct the URL, or see to it that the database answers; without :// it is a file",
        ) from error
    _refuse_other_settings(study, began_with or settings, settings)
    _refuse_another_folder(study, folder)
    return study


def _refuse_another_folder(study: Study, folder: Path) -> None:
    before = study.user_attrs.get(_FOLDER)
    if before not in (None, str(folder)) and Path(before).exists():
        raise UserError(
            f"the study {study.study_name} has its trials in {before}",
            where=f"config key hydra.sweep.dir: {folder}",
            fix=f"give hydra.sweep.dir='{before}', or begin another study: hydra.sweeper.study_name=NAME",
        )
    study.set_user_attr(_FOLDER, str(folder))


def _refuse_other_settings(study: Study, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    if problems := [Problem(key, f"{was} then, {new} now") for key, was, new in changed(before, now)]:
        raise UserError(
            f"the study {study.study_name} was begun with other settings:",
            where="config key hydra.sweeper.study_name",
            problems=problems,
            fix="give the settings that it was begun with, or begin another study: "
            "hydra.sweeper.study_name=NAME",
        )


def sampler_of(config: DictConfig, number: int, parameter: int = 0) -> BaseSampler:
    """Optuna's sampler for one parameter of one trial.

    Made anew for each, with a seed of its own, so that what it proposes depends on the seed, the numbers and
    the trials before only: not on where the sweep was killed and started again.

    Args:
        config: of the sampler.
        number: of the trial.
        parameter: which one of the search space.

    Raises:
        UserError: it is Optuna's grid sampler, or refuses its settings.
    """
    settings = OmegaConf.to_container(config, resolve=True)
    assert isinstance(settings, dict)
    if settings["_target_"].endswith("GridSampler"):
        raise UserError(
            "a grid needs no study",
            where="config key hydra/sweeper/sampler",
            fix="give the values instead of hparams_search, such as -m seed=0,1,2 model.dropout=0,0.2",
        )
    follows_a_sequence = settings["_target_"].endswith("QMCSampler")  # of its seed, across trials
    if settings.get("seed") is not None and not follows_a_sequence:
        seeds = np.random.SeedSequence([settings["seed"], number, parameter])
        settings["seed"] = int(seeds.generate_state(1)[0])
    try:
        sampler: BaseSampler = instantiate(settings, _execution_whitelist_=_SAMPLERS)
    except InstantiationException as error:
        raise _unfit_sampler(error) from error
    return sampler


def refuse_unfit_sampler(config: DictConfig, space: Mapping[str, BaseDistribution]) -> None:
    """Let it propose once, after two trials: some look for the packages that they need no sooner.

    Raises:
        UserError: it cannot.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler_of(config, number=0))
    params = {key: first_value(values) for key, values in space.items()}
    for value in (0.0, 1.0):
        study.add_trial(create_trial(params=params, distributions=dict(space), value=value))
    try:
        study.ask(dict(space))
    except (ImportError, TypeError, ValueError) as error:
        raise _unfit_sampler(error) from error


def first_value(values: BaseDistribution) -> Any:
    """The first of a parameter's values."""
    return values.choices[0] if isinstance(values, CategoricalDistribution) else values.low  # type: ignore[attr-defined]


def _unfit_sampler(error: Exception) -> UserError:
    return UserError(
        f"the sampler is of no use: {first_line(error)}",
        where="config key hydra.sweeper.sampler",
        fix="install what it needs, correct its settings, or take another: hydra/sweeper/sampler=tpe",
    )


def development_mae(trial: FrozenTrial) -> float:
    """The best development MAE of a trial's run, in points; NaN where it has not ended."""
    return float(trial.user_attrs.get(DEVELOPMENT_MAE, math.nan))


def trials_done(study: Study) -> int:
    """How many of the trials that count there are."""
    return len(study.get_trials(deepcopy=False, states=DONE))


def best_trial(study: Study) -> FrozenTrial | None:
    """The finished trial with the lowest development MAE; one that was stopped early where there is none."""
    trials = study.get_trials(deepcopy=False, states=DONE)
    return min(trials, key=order_of_merit, default=None)


def order_of_merit(trial: FrozenTrial) -> tuple[bool, float, int]:
    """Sorts trials: finished before stopped early, the lowest development MAE first."""
    mae = development_mae(trial)
    return trial.state != TrialState.COMPLETE, math.inf if math.isnan(mae) else mae, trial.number
