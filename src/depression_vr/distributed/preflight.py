"""Which ways of running several processes are not those of this project."""

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from depression_vr.distributed.processes import processes
from depression_vr.distributed.strategy import TogetherDDP
from depression_vr.errors import UserError

_UNQUOTED = '"\\'


def refuse_other_processes(trainer: pl.Trainer, config: DictConfig) -> None:
    """Refuse several processes that are not those of ``trainer=ddp``, or others than the config says.

    Raises:
        UserError: a cluster gives another number of processes; the strategy would not end them together; or
            they cannot be started from a sweep, or for a folder of that name.
    """
    if trainer.world_size != processes(config):
        raise UserError(
            f"the config is for {processes(config)} processes, and there are {trainer.world_size}",
            where="config keys trainer.devices and trainer.num_nodes",
            fix="give the number of devices that each node uses, and of nodes",
        )
    if trainer.world_size == 1:
        return
    strategy = trainer.strategy
    if not isinstance(strategy, TogetherDDP):
        raise UserError(
            f"several devices are used through {TogetherDDP.__name__}, not {type(strategy).__name__}",
            where="config key trainer.strategy",
            fix="use trainer=ddp, with trainer.devices=N for some of the devices",
        )
    assert strategy.cluster_environment is not None
    if not strategy.cluster_environment.creates_processes_externally:
        _refuse_unstartable(config)


def _refuse_unstartable(config: DictConfig) -> None:
    """Refuse what the launcher's command for the other processes would get wrong."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError(
            "a sweep over runs of several processes has to start each run anew",
            where="command line: --multirun",
            fix="leave -m out and start the runs one after the other, or use trainer=slurm with its launcher",
        )
    if set(_UNQUOTED) & set(str(config.run_dir)):
        raise UserError(
            "other processes cannot be told the name of a run folder with quotation marks or backslashes",
            where="config key hydra.run.dir",
            fix="use another folder",
        )
