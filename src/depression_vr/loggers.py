"""Loggers beyond Lightning's own."""

import netrc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import wandb
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import WandbLogger

_PRIVATE_KEYS = ("root", "image_root", "table", "corpus", "module")


def wandb_logger(
    project: str,
    name: str,
    save_dir: str,
    mode: Literal["auto", "online", "offline", "disabled"] = "auto",
    group: str | None = None,
    tags: Sequence[str] = (),
) -> WandbLogger:
    """A W&B logger that never asks for anything.

    Args:
        project: W&B project.
        name: of the run.
        save_dir: folder for W&B's files.
        mode: ``auto`` is what ``WANDB_MODE`` says, else online when the user is logged in, else offline;
            the others are W&B's own.
        group: of runs that belong together.
        tags: of the run.
    """
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE", "online" if _is_logged_in() else "offline")  # type: ignore[assignment]
    return WandbLogger(
        project=project,
        name=name,
        save_dir=save_dir,
        group=group,
        tags=list(tags),
        mode=mode,
        settings=wandb.Settings(console="off", disable_git=True, save_code=False, silent=True),
    )


def _is_logged_in() -> bool:
    """Whether W&B would find a key without asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    file = os.environ.get("NETRC", str(Path.home() / ".netrc"))
    try:
        return netrc.netrc(file).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def shareable_config(config: DictConfig) -> dict[str, Any]:
    """The resolved config for loggers: without the folders that corpora and runs lie in."""
    content: Any = OmegaConf.to_container(config, resolve=True)
    shared = {key: content[key] for key in ("name", "seed", "model", "optim", "input")}
    shared["data"] = {key: value for key, value in content["data"].items() if key not in _PRIVATE_KEYS}
    trainer = content["trainer"]
    shared["trainer"] = {key: value for key, value in trainer.items() if key != "default_root_dir"}
    return shared
