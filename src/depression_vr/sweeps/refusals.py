"""What makes every trial of a sweep fail, or worse, and is refused before the first."""

from collections.abc import Mapping
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.plugins.launcher import Launcher
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher
from omegaconf import DictConfig, OmegaConf

from depression_vr.configs import compose
from depression_vr.distributed.processes import processes
from depression_vr.errors import UserError
from depression_vr.settings import PATH_KEYS
from depression_vr.sweeps.gpus import refuse_hidden_gpus

_NOTHING_TO_SELECT_BY = "train_dev_merged"
_MAKES_ITSELF = "synthetic"


def refuse_unfit_numbers(numbers: Mapping[str, int], launcher: Launcher) -> None:
    """Refuse what is no number of trials, and several at a time in one process.

    Args:
        numbers: by key of the sweeper.
        launcher: Hydra's.

    Raises:
        UserError: one of them is unfit.
    """
    for key, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise UserError(
                f"{number!r} is no whole number of at least 1",
                where=f"config key hydra.sweeper.{key}",
                fix="give one, such as 12",
            )
    if numbers["n_jobs"] > 1 and isinstance(launcher, BasicLauncher):
        raise UserError(
            f"{numbers['n_jobs']} trials at a time need a process each",
            where="config key hydra.sweeper.n_jobs",
            fix="add hydra/launcher=joblib, submitit_local or submitit_slurm",
        )


def refuse_unfit_trials(trial: DictConfig, launcher: Launcher) -> None:
    """Refuse what no trial can do.

    Args:
        trial: config of one.
        launcher: Hydra's.

    Raises:
        UserError: there is nothing to compare trials by, no corpus, or a trial would be several processes.
    """
    if trial.data.protocol == _NOTHING_TO_SELECT_BY:
        raise UserError(
            f"data.protocol={_NOTHING_TO_SELECT_BY} has no development partition to compare by",
            where="config key data.protocol",
            fix="search with another protocol, then train with this one and what was found",
        )
    if isinstance(launcher, SlurmLauncher):
        return  # its machines have other disks and devices
    count = processes(trial)
    if count > 1:
        raise UserError(
            f"a trial would be {count} processes",
            where="config keys trainer.devices and trainer.num_nodes",
            fix="give trainer.devices=1; on a cluster, add hydra/launcher=submitit_slurm",
        )
    if trial.data.corpus != _MAKES_ITSELF:
        _refuse_a_missing_corpus(trial.data)
    refuse_hidden_gpus(trial, launcher)


def _refuse_a_missing_corpus(clips: DictConfig) -> None:
    for key in PATH_KEYS:
        path = OmegaConf.select(clips, key)
        if path is not None and not Path(str(path)).expanduser().exists():
            raise UserError(
                "there is no such file or folder",
                where=f"config key data.{key}: {path}",
                fix="correct the path",
            )


def refuse_an_experiment_of_another_network(trial: DictConfig, experiment: str | None) -> None:
    """Refuse to search one network with the recipe of another.

    Args:
        trial: config of one.
        experiment: name of the recipe; None for none.

    Raises:
        UserError: the networks differ.
    """
    if experiment is None:
        return
    network = compose("train", [f"experiment={experiment}"]).model._target_
    if network != trial.model._target_:
        raise UserError(
            f"the recipe trains {network.rpartition('.')[2]}, "
            f"the search is for {trial.model._target_.rpartition('.')[2]}",
            where=f"command line: experiment={experiment}",
            fix="choose the hparams_search of the recipe's network",
        )
