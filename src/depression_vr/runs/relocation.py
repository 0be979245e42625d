"""A run's config for another folder than the one that it was recorded in."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from depression_vr.errors import UserError

_WRITERS = ("trainer", "callbacks", "logger")


def relocated(config: DictConfig, folder: Path) -> DictConfig:
    """The config of a run that writes to another folder, or that was moved there.

    Its run directory, and every string of trainer, callbacks and loggers that names it or something below it,
    become the new folder. A corpus stays where it is, also one that lies below the run directory.

    Args:
        config: of a run, resolved or not.
        folder: the new run directory.

    Raises:
        UserError: the config names no run directory.
    """
    before = OmegaConf.select(config, "run_dir")
    if not isinstance(before, str):
        raise UserError(
            "the run's config does not say where the run was",
            where="config key run_dir",
            fix="use a run of `python -m depression_vr.train`",
        )
    now = str(folder.expanduser().absolute())
    moved = config.copy()
    moved.run_dir = now
    for key in _WRITERS:
        if OmegaConf.is_config(config.get(key)):
            content = OmegaConf.to_container(config[key], resolve=False)
            moved[key] = renamed(content, before.rstrip("/"), now)
    return moved


def renamed(content: Any, before: str, now: str) -> Any:
    """Plain values in which every string that names a folder, or something below it, names another one.

    Args:
        content: a string, or dicts and lists of values.
        before: the folder.
        now: the other one.
    """
    if isinstance(content, dict):
        return {renamed(key, before, now): renamed(value, before, now) for key, value in content.items()}
    if isinstance(content, list):
        return [renamed(value, before, now) for value in content]
    if isinstance(content, str) and (content == before or content.startswith(f"{before}/")):
        return now + content.removeprefix(before)
    return content
