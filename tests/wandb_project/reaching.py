"""A user who is logged in to a W&B server on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import wandb

from project_server import ProjectServer
from wandb_server import Behaviour


@contextmanager
def logged_in(monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour = "works") -> Iterator[ProjectServer]:
    """The server; nothing that W&B knew before this test counts, and it gives up early."""
    wandb.teardown()
    server = ProjectServer(behaviour)
    for name in ("WANDB_ERROR_REPORTING", "WANDB_MODE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": "k" * 40,
        "WANDB_INIT_TIMEOUT": "5",
        "WANDB__GRAPHQL_RETRY_MAX": "1",
        "WANDB__FILE_STREAM_RETRY_MAX": "1",
        "WANDB__FILE_TRANSFER_RETRY_MAX": "1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        yield server
    finally:
        wandb.teardown()
        server.go_away()
