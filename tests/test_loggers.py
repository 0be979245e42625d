"""W&B goes online only for a user who is logged in and whose server answers, and is told no path."""

import socket
from pathlib import Path

import pytest

from depression_vr.errors import UserError
from depression_vr.loggers.wandb_reach import wandb_mode


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without key, settings or a server."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_offline_without_a_key() -> None:
    assert wandb_mode("auto") == "offline"


def test_offline_with_a_key_when_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # not listening
        monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert wandb_mode("auto") == "offline"


@pytest.mark.parametrize("source", ["environment", "netrc"])
def test_online_with_a_key_when_the_server_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        if source == "netrc":
            (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login user password {'k' * 40}\n")
        else:
            monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
        assert wandb_mode("auto") == "online"


def test_the_environment_decides_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb_mode("auto") == "offline"


def test_online_without_a_key_is_refused_rather_than_asked_for() -> None:
    with pytest.raises(UserError, match="wandb login"):
        wandb_mode("online")
