"""W&B that does not answer: the training goes on, does not wait for it, and keeps its files."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wandb

from breaking import SMALL, at_step, result, undisturbed
from conftest import RunCommand
from depression_vr.loggers.weights_and_biases import wandb_logger
from depression_vr.runs.run import Run
from wandb_server import Behaviour, WandbServer

pytestmark = pytest.mark.slow

StartServer = Callable[[Behaviour], WandbServer]
_INIT, _FINISH = 2.0, 3.0


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StartServer]:
    """Starts the server of a user who is logged in; nothing that W&B knew before this test counts."""
    wandb.teardown()
    servers: list[WandbServer] = []

    def start(behaviour: Behaviour) -> WandbServer:
        servers.append(WandbServer(behaviour))
        monkeypatch.setenv("WANDB_BASE_URL", servers[0].url)
        return servers[0]

    for name in ("WANDB_SERVICE", "WANDB_MODE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", str(_INIT))
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", str(_FINISH))
    yield start
    wandb.finish()
    wandb.teardown()
    for server in servers:
        server.go_away()


def logged(run: Run, name: str) -> bytes:
    (file,) = run.folder.glob(f"wandb/{name}-*/run-*.wandb")
    return file.read_bytes()


def finished_in() -> float:
    """Seconds that W&B holds the end of the process up."""
    began = time.monotonic()
    wandb.finish()
    wandb.teardown()
    return time.monotonic() - began


ONLINE = (*SMALL, "logger=default", "logger.wandb.mode=online", "trainer.log_every_n_steps=1")


def test_a_server_that_answers_gets_the_run(
    start: StartServer, command: RunCommand, csv_corpus: Path
) -> None:
    server = start("works")
    outcome = command("train", *ONLINE, f"data.table={csv_corpus}")
    assert outcome.code == 0, outcome.err
    assert finished_in() < _FINISH
    assert "not reached" not in outcome.err
    assert any(path.endswith("/file_stream") for path in server.asked)
    assert not list(Path("run/wandb").glob("offline-run-*"))


@pytest.mark.parametrize("behaviour", ["refuses", "hangs"])
def test_the_training_begins_offline(
    start: StartServer, command: RunCommand, csv_corpus: Path, behaviour: Behaviour
) -> None:
    server = start(behaviour)
    outcome = command("train", *ONLINE, f"data.table={csv_corpus}")
    assert outcome.code == 0, outcome.err
    assert server.asked
    assert f"warning: W&B is not reached at {server.url}" in outcome.err
    assert "wandb_sync" in outcome.err
    assert finished_in() < _FINISH + 5
    run = Run(Path("run"))
    assert logged(run, "offline-run").count(b"development/mae") >= 3
    assert result(run) == undisturbed(command, csv_corpus)


def test_nothing_there_is_noticed_before_anything_is_begun(
    start: StartServer, command: RunCommand, csv_corpus: Path
) -> None:
    start("works").go_away()
    outcome = command("train", *ONLINE, f"data.table={csv_corpus}", "trainer.max_epochs=1")
    assert outcome.code == 0, outcome.err
    assert "warning: W&B is not reached" in outcome.err
    finished_in()
    assert b"development/mae" in logged(Run(Path("run")), "offline-run")


@pytest.mark.parametrize("behaviour", ["hangs", "gone"])
def test_a_server_that_goes_away_in_mid_run_holds_nothing_up(
    start: StartServer, command: RunCommand, csv_corpus: Path, behaviour: Behaviour | str
) -> None:
    server = start("works")

    def out_of_reach() -> None:
        assert "UpsertBucket" in server.asked
        server.behaviour = "hangs"
        if behaviour == "gone":
            server.go_away()

    began = time.monotonic()
    with at_step(3, out_of_reach):
        outcome = command("train", *ONLINE, f"data.table={csv_corpus}")
    took = time.monotonic() - began
    assert outcome.code == 0, outcome.err
    assert finished_in() < _FINISH + 5
    assert took < 60
    assert ("no answer any more" in outcome.err) == (behaviour == "gone")
    run = Run(Path("run"))
    assert logged(run, "run").count(b"development/mae") >= 3
    assert result(run) == undisturbed(command, csv_corpus)


def test_how_long_is_waited_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_INIT_TIMEOUT", "WANDB_FINISH_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    logger = wandb_logger("project", "name", str(tmp_path), mode="offline")
    settings = logger._wandb_init["settings"]
    assert (settings.init_timeout, settings.finish_timeout) == (15, 20)
