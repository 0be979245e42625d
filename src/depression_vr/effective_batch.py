"""How many clips an optimizer step sees, and what that does to the learning rate where the user wants it."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from depression_vr.distributed.processes import processes
from depression_vr.errors import UserError

RULES = ("none", "linear", "sqrt")
_RATE = "optim.optimizer.lr"
_PEAK = "optim.schedule.scheduler.max_lr"


@dataclass(frozen=True)
class EffectiveBatch:
    """The clips that one optimizer step is made of.

    Attributes:
        per_device: clips of one batch in one process.
        devices: of all nodes.
        accumulation: batches whose gradients are added up before a step.
    """

    per_device: int
    devices: int
    accumulation: int

    @property
    def total(self) -> int:
        """Clips of one optimizer step."""
        return self.per_device * self.devices * self.accumulation

    def as_dict(self) -> dict[str, int]:
        """For a record."""
        return {**asdict(self), "total": self.total}

    def __str__(self) -> str:
        devices = f"{self.devices} device" + ("s" if self.devices > 1 else "")
        return f"{self.total} clips ({self.per_device} x {devices} x {self.accumulation} accumulated)"


def effective_batch(config: DictConfig) -> EffectiveBatch:
    """What the config of a training asks for; the last batches of an epoch may be smaller.

    Raises:
        UserError: a key is no whole number.
    """
    return EffectiveBatch(
        per_device=_whole(config, "data.batch_size"),
        devices=processes(config),
        accumulation=_whole(config, "trainer.accumulate_grad_batches", 1),
    )


def _whole(config: DictConfig, key: str, default: int | None = None) -> int:
    number = OmegaConf.select(config, key, default=default)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise UserError(f"{number!r} is no number of clips or batches", f"config key {key}", "give 1 or more")
    return number


def with_scaled_rate(config: DictConfig) -> DictConfig:
    """The config with the learning rate that is really used, and ``unscaled_lr``, which it was made from.

    The rate of the config is for the batch of one device, without accumulation. ``scale_lr=linear``
    multiplies it by how many times larger the effective batch is, ``sqrt`` by the root of that. A config that
    has been scaled stays as it is.

    Raises:
        UserError: there is no such rule, or no learning rate that it could be applied to.
    """
    rule = config.get("scale_lr", "none")
    if rule not in RULES:
        raise UserError(
            f"there is no rule {rule!r}", where="config key scale_lr", fix=f"use one of {', '.join(RULES)}"
        )
    if rule == "none" or "unscaled_lr" in config:
        return config
    batch = effective_batch(config)
    times = batch.total / batch.per_device
    unscaled = _rate(config)
    scaled = config.copy()
    with open_dict(scaled):
        scaled.unscaled_lr = unscaled
        OmegaConf.update(scaled, _RATE, unscaled * (times if rule == "linear" else math.sqrt(times)))
    peak = OmegaConf.select(scaled, _PEAK)
    if peak is not None and peak != OmegaConf.select(scaled, _RATE):
        raise UserError(
            f"the schedule's peak {peak} does not follow the learning rate",
            where=f"config keys scale_lr and {_PEAK}",
            fix=f"use {_PEAK}=${{{_RATE}}}, or scale_lr=none",
        )
    return scaled


def _rate(config: DictConfig) -> float:
    rate: Any = OmegaConf.select(config, _RATE)
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise UserError(
            f"{rate!r} is no learning rate to scale", where=f"config key {_RATE}", fix="give a number"
        )
    return rate


def described(config: DictConfig) -> str:
    """Effective batch and learning rate in one line."""
    rule, rate = config.get("scale_lr", "none"), OmegaConf.select(config, _RATE)
    scaling = "not scaled" if rule == "none" else f"{config.unscaled_lr} scaled by scale_lr={rule}"
    return f"effective batch: {effective_batch(config)}; learning rate: {rate} ({scaling})"
