"""How many processes a run has, and which of them this one is, before torch knows."""

import os
from typing import Any

from omegaconf import DictConfig

from depression_vr.errors import UserError

_ALL = ("auto", "-1")
_NUMBERS = ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK")
"""What torchrun, SLURM and Lightning's launcher number processes with; the first one is 0 in all of them."""


def with_counted_devices(config: DictConfig) -> DictConfig:
    """The config with "all devices" replaced by how many GPUs this machine has.

    So that a run's config says what it ran on, and its fingerprint depends on it.
    """
    count = _gpus() if _wants_all(config) else 0
    if not count:
        return config
    counted = config.copy()
    counted.trainer.devices = count
    return counted


def processes(config: DictConfig) -> int:
    """How many processes a config asks for; where it wants all GPUs, those of this machine count.

    Raises:
        UserError: the number of devices or of nodes is none.
    """
    trainer = config.get("trainer") or {}
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    try:
        on_each_node = max(_gpus(), 1) if _wants_all(config) else _count(devices)
        count = on_each_node * int(nodes)
    except (TypeError, ValueError):
        count = 0
    if count < 1:
        raise UserError(
            f"{devices!r} on {nodes!r} nodes is no number of devices",
            where="config keys trainer.devices and trainer.num_nodes",
            fix="give whole numbers of 1 or more, a list such as [0,1], or devices=auto",
        )
    return count


def _count(devices: Any) -> int:
    if isinstance(devices, str) and "," in devices:
        return len([device for device in devices.split(",") if device])
    return int(devices) if isinstance(devices, int | str) else len(devices)


def leads(config: DictConfig) -> bool:
    """Whether this process is the one that writes the run's files and speaks for all."""
    return processes(config) == 1 or is_first_process()


def is_first_process() -> bool:
    """Whether this process is the first, or the only one."""
    return all(os.environ.get(number) in (None, "", "0") for number in _NUMBERS)


def _wants_all(config: DictConfig) -> bool:
    trainer = config.get("trainer") or {}
    on_gpus = trainer.get("accelerator") in ("gpu", "cuda", "auto")
    return on_gpus and str(trainer.get("devices", 1)) in _ALL


def _gpus() -> int:
    import torch  # noqa: PLC0415, commands without a network do not need it

    return torch.cuda.device_count()
