"""Sending offline runs later, by W&B's own command and to a server on this machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import RunCommand
from depression_vr.errors import INTERRUPTED
from project_server import ProjectServer
from reaching import logged_in
from run_directories import log_rows, run_directory, wandb_files


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectServer]:
    with logged_in(monkeypatch) as started:
        yield started


def maes(server: ProjectServer, run: str) -> list[float]:
    """The logged development MAE of a run, row by row."""
    return [row["development/mae"] for row in server.history()[run]]


def test_without_a_key_it_says_how_to_get_one(
    command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    folder = wandb_files(run_directory(tmp_path / "outputs" / "a"), "offline-run-20260101_000000-aaa")
    outcome = command("wandb_sync")
    assert outcome.code == 2
    assert "wandb login" in outcome.err
    assert len(list(folder.iterdir())) == 1


def test_a_server_that_is_not_there(
    command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb_files(run_directory(tmp_path / "outputs" / "a"), "offline-run-20260101_000000-aaa")
    with logged_in(monkeypatch) as gone:
        pass
    monkeypatch.setenv("WANDB_BASE_URL", gone.url)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    outcome = command("wandb_sync", "runs=outputs")
    assert outcome.code == 2
    assert f"W&B does not answer\n  where: server {gone.url}" in outcome.err


def test_a_dry_run_lists_what_would_be_sent_and_asks_nobody(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    unsent = wandb_files(run_directory(tmp_path / "outputs" / "a" / "b"), "offline-run-20260101_000000-aaa")
    wandb_files(run_directory(tmp_path / "outputs" / "c"), "offline-run-20260101_000000-c", is_sent=True)
    outcome = command("wandb_sync", "runs=outputs", "dry_run=true")
    assert outcome.out == f"{unsent.relative_to(tmp_path)}\n"
    assert not server.received


def test_a_folder_that_is_not_there(command: RunCommand) -> None:
    outcome = command("wandb_sync", "runs=[nowhere]")
    assert outcome.code == 2
    assert "there is no folder nowhere" in outcome.err


def test_only_a_running_run(command: RunCommand, tmp_path: Path) -> None:
    wandb_files(run_directory(tmp_path / "outputs" / "a", "running"), "offline-run-20260101_000000-aaa")
    outcome = command("wandb_sync", "runs=outputs")
    assert outcome.code == 0
    assert "running: outputs/a" in outcome.err
    assert outcome.out == "nothing to send; 0 runs sent before\n"


@pytest.mark.slow
def test_runs_arrive_once_and_without_a_path(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    ids = [log_rows(run_directory(tmp_path / "outputs" / name), rows=3) for name in ("a", "b")]
    outcome = command("wandb_sync", "runs=outputs")
    assert outcome.code == 0, outcome.err
    assert {run: maes(server, run) for run in ids} == {run: [20.0, 19.0, 18.0] for run in ids}
    assert all(f"{server.url}/lab/depression-vr/runs/{run}" in outcome.out for run in ids)
    assert "2 of 2 runs sent" in outcome.out
    for path in (tmp_path, Path(sys.prefix), Path.home()):
        assert bytes(path) not in server.everything
    asked = len(server.received)
    outcome = command("wandb_sync", "runs=outputs")
    assert outcome.out == "nothing to send; 2 runs sent before\n"
    assert len(server.received) == asked
    assert not (tmp_path / "wandb").exists()


@pytest.mark.slow
def test_project_and_entity_can_be_others(command: RunCommand, tmp_path: Path, server: ProjectServer) -> None:
    log_rows(run_directory(tmp_path / "outputs" / "a"), rows=1)
    outcome = command("wandb_sync", "runs=outputs/a", "project=other", "entity=mylab")
    assert outcome.code == 0, outcome.err
    begun = server.queries("UpsertBucket")[0]
    assert (begun["project"], begun["entity"]) == ("other", "mylab")


@pytest.mark.slow
def test_a_resumed_run_is_one_run_before_and_after_it_was_sent(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    folder = run_directory(tmp_path / "outputs" / "a", "interrupted")
    run = log_rows(folder, rows=3)
    assert log_rows(folder, rows=4, after=2) == run
    assert command("wandb_sync", "runs=outputs").code == 0
    assert maes(server, run) == [20.0, 19.0, 18.0, 17.0]
    assert log_rows(folder, rows=6, after=4) == run
    assert command("wandb_sync", "runs=outputs").code == 0
    assert maes(server, run) == [20.0, 19.0, 18.0, 17.0, 16.0, 15.0]
    assert list(server.history()) == [run]
    assert {begun["name"] for begun in server.queries("UpsertBucket")} == {run}


@pytest.mark.slow
def test_a_damaged_run_is_named_and_the_others_go_on(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    whole, damaged, cut = (run_directory(tmp_path / "outputs" / name) for name in ("whole", "bad", "cut"))
    runs = [log_rows(folder, rows=3) for folder in (whole, damaged, cut)]
    (log,) = damaged.glob("wandb/offline-run-*/run-*.wandb")
    log.write_bytes(b"no log of W&B")
    (log,) = cut.glob("wandb/offline-run-*/run-*.wandb")
    log.write_bytes(log.read_bytes()[:-5])
    outcome = command("wandb_sync", "runs=outputs")
    assert outcome.code == 2
    assert "1 of 3 runs not sent" in outcome.err
    assert "outputs/bad: " in outcome.err
    assert "invalid W&B identifier" in outcome.err
    assert maes(server, runs[0]) == [20.0, 19.0, 18.0]
    assert maes(server, runs[2]) == [20.0, 19.0, 18.0]  # of a killed process, what there is
    assert "1 of 1 run not sent" in command("wandb_sync", "runs=outputs").err


@pytest.mark.slow
def test_what_has_not_wholly_arrived_is_not_taken_as_sent(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    run = log_rows(run_directory(tmp_path / "outputs" / "a"), rows=2)
    for refused in ("file_stream", "config.yaml"):
        server.refused = refused
        outcome = command("wandb_sync", "runs=outputs")
        assert outcome.code == 2
        assert "1 of 1 run not sent" in outcome.err
    server.refused = ""
    assert command("wandb_sync", "runs=outputs").code == 0
    assert maes(server, run) == [20.0, 19.0]


@pytest.mark.slow
def test_an_interrupt_ends_it_and_the_same_command_goes_on(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    run = log_rows(run_directory(tmp_path / "outputs" / "a"), rows=2)
    server.behaviour = "hangs"
    process = subprocess.Popen(
        [sys.executable, "-m", "depression_vr.wandb_sync", "runs=outputs"],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ | {"WANDB_INIT_TIMEOUT": "60"},
    )
    while not server.received:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert "interrupted; the same command goes on" in said
    server.behaviour = "works"
    assert command("wandb_sync", "runs=outputs").code == 0
    assert maes(server, run) == [20.0, 19.0]
