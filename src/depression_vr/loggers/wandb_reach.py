"""Whether W&B can be reached without asking or waiting: a key on this machine, and a server that answers."""

import logging
import netrc
import os
import socket
import ssl
from http.client import HTTPException
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError, URLError
from urllib.parse import ParseResult, urlparse
from urllib.request import getproxies, proxy_bypass, urlopen

from depression_vr.errors import UserError

log = logging.getLogger(__name__)

Mode = Literal["auto", "online", "offline", "disabled"]

_CONNECTION_SECONDS = 1.5
_RESPONSE_SECONDS = 10.0


def wandb_mode(mode: Mode) -> str:
    """The mode that W&B is started in.

    Args:
        mode: ``auto`` is what the environment variable ``WANDB_MODE`` says, else online for a user who is
            logged in, else offline; the others are W&B's own. Online becomes offline when the server does
            not answer.

    Raises:
        UserError: online without being logged in.
    """
    wanted = os.environ.get("WANDB_MODE", "auto") if mode == "auto" else mode
    if wanted == "auto":
        wanted = "online" if is_logged_in() else "offline"
    if wanted != "online":
        return wanted
    if not is_logged_in():
        raise UserError(
            "W&B has no key for this user",
            where="config key logger.wandb.mode, or WANDB_MODE",
            fix="run `wandb login`, with WANDB_BASE_URL set to a server of your own, or use "
            "logger.wandb.mode=offline",
        )
    if not server_answers():
        warn_of_no_answer("no answer", "runs=RUN_DIR")
        return "offline"
    return "online"


def wandb_server() -> ParseResult:
    """The address of the server."""
    return urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))


def is_logged_in() -> bool:
    """Whether W&B would find a key without asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    file = os.environ.get("NETRC", str(Path.home() / ".netrc"))
    try:
        return netrc.netrc(file).authenticators(wandb_server().hostname or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def server_answers() -> bool:
    """Whether the server, or the proxy on the way to it, takes a connection at once."""
    server = wandb_server()
    proxy = getproxies().get(server.scheme)
    if proxy and not proxy_bypass(server.hostname or ""):
        server = urlparse(proxy)
    port = server.port or (80 if server.scheme == "http" else 443)
    try:
        socket.create_connection((server.hostname or "", port), _CONNECTION_SECONDS).close()
    except OSError:
        return False
    return True


def server_responds() -> bool:
    """Whether the server says anything at all, in a few seconds; it may take connections and be stuck."""
    try:
        urlopen(wandb_server().geturl(), timeout=_RESPONSE_SECONDS).close()
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # of which W&B is to judge
    except (OSError, HTTPException):
        return False
    return True


def warn_of_no_answer(reason: str, sent_by: str) -> None:
    """Say that the server is not reached, and which arguments of `wandb_sync` send its files later."""
    log.warning(
        "warning: W&B is not reached at %s (%s); "
        "`python -m depression_vr.wandb_sync %s` sends later what it lacks",
        wandb_server().geturl(),
        reason,
        sent_by,
    )
