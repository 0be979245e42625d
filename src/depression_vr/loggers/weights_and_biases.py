"""Loggers beyond Lightning's own."""

import netrc
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import ParseResult, urlparse

import wandb
from pytorch_lightning.loggers import WandbLogger

from depression_vr.errors import UserError

Mode = Literal["auto", "online", "offline", "disabled"]

_CONNECTION_SECONDS = 1.5


def wandb_mode(mode: Mode) -> str:
    """The mode that W&B is started in.

    Args:
        mode: ``auto`` is what the environment variable ``WANDB_MODE`` says, else online for a user who is
            logged in and whose server answers, else offline; the others are W&B's own.

    Raises:
        UserError: online without being logged in.
    """
    wanted = os.environ.get("WANDB_MODE", "auto") if mode == "auto" else mode
    if wanted == "auto":
        wanted = "online" if _is_logged_in() and _answers() else "offline"
    if wanted == "online" and not _is_logged_in():
        raise UserError(
            "W&B has no key for this user",
            where="config key logger.wandb.mode, or WANDB_MODE",
            fix="run `wandb login`, or use logger.wandb.mode=offline",
        )
    return wanted


def wandb_logger(
    project: str,
    name: str,
    save_dir: str,
    mode: Mode = "auto",
    group: str | None = None,
    tags: Sequence[str] = (),
) -> WandbLogger:
    """A W&B logger that asks for nothing and, unless told to be online, waits for nothing.

    Args:
        project: W&B project.
        name: of the run.
        save_dir: folder for W&B's files.
        mode: as `wandb_mode` takes it.
        group: of runs that belong together.
        tags: of the run.
    """
    # W&B's own metadata holds the command line and the working folder, and so names of folders and files
    settings = wandb.Settings(
        console="off", disable_git=True, save_code=False, silent=True, x_disable_meta=True
    )
    return WandbLogger(
        project=project,
        name=name,
        save_dir=save_dir,
        group=group,
        tags=list(tags),
        mode=wandb_mode(mode),
        settings=settings,
    )


def _server() -> ParseResult:
    return urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))


def _is_logged_in() -> bool:
    """Whether W&B would find a key without asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    file = os.environ.get("NETRC", str(Path.home() / ".netrc"))
    try:
        return netrc.netrc(file).authenticators(_server().hostname or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _answers() -> bool:
    """Whether the server takes a connection at once."""
    server = _server()
    port = server.port or (80 if server.scheme == "http" else 443)
    try:
        socket.create_connection((server.hostname or "", port), _CONNECTION_SECONDS).close()
    except OSError:
        return False
    return True
