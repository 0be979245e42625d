"""Sending offline runs later, by W&B's own command and to a server on this machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from breaking import SMALL
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


def test_that_artifacts_of_online_runs_are_not_sent_later_is_said(
    command: RunCommand, tmp_path: Path
) -> None:
    wandb_files(run_directory(tmp_path / "outputs" / "a"), "run-20260101_000000-aaa")
    said = "artifacts that a run has not sent while it was online are not sent later"
    assert said not in command("wandb_sync", "runs=outputs", "dry_run=true").err
    assert said in command("wandb_sync", "runs=outputs", "dry_run=true", "online=true").err


def test_no_folder_is_refused(command: RunCommand) -> None:
    outcome = command("wandb_sync", "runs=[]")
    assert (outcome.code, "config key runs" in outcome.err) == (2, True)


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
def test_what_is_sent_of_an_online_run_takes_the_place_of_what_is_there(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    run = log_rows(run_directory(tmp_path / "outputs" / "a"), rows=2, mode="online")
    assert maes(server, run) == [20.0, 19.0]
    outcome = command("wandb_sync", "runs=outputs", "online=true")
    assert "1 of 1 run sent" in outcome.out
    assert maes(server, run) == [20.0, 19.0]


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
    server.held = "graphql"
    process = subprocess.Popen(
        [sys.executable, "-m", "depression_vr.wandb_sync", "runs=outputs"],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ | {"WANDB_INIT_TIMEOUT": "60"},
    )
    while "UpsertBucket" not in server.asked:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert "interrupted; the same command goes on" in said
    server.held = ""
    assert command("wandb_sync", "runs=outputs").code == 0
    assert maes(server, run) == [20.0, 19.0]


@pytest.mark.slow
def test_it_stops_at_the_first_run_with_no_answer(
    command: RunCommand, tmp_path: Path, server: ProjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER"):
        monkeypatch.delenv(f"WANDB__{kind}_RETRY_MAX")
    monkeypatch.delenv("WANDB_INIT_TIMEOUT")
    first, second = (log_rows(run_directory(tmp_path / "outputs" / name), rows=1) for name in ("a", "b"))
    server.behaviour_after = ("UpsertBucket", "hangs")
    outcome = command("wandb_sync", "runs=outputs")
    assert outcome.code == 2
    assert "2 of 2 runs not sent" in outcome.err
    assert "does not answer any more" in outcome.err
    assert first.encode() in server.everything
    assert second.encode() not in server.everything
    server.behaviour = "works"
    assert command("wandb_sync", "runs=outputs").code == 0
    assert (maes(server, first), maes(server, second)) == ([20.0], [20.0])


@pytest.mark.slow
def test_a_server_that_is_stuck_is_noticed_before_anything_is_sent(
    command: RunCommand, tmp_path: Path, server: ProjectServer
) -> None:
    log_rows(run_directory(tmp_path / "outputs" / "a"), rows=1)
    server.behaviour = "hangs"
    outcome = command("wandb_sync", "runs=outputs")
    assert (outcome.code, "W&B does not answer" in outcome.err) == (2, True)
    assert server.asked == ["/"]


@pytest.mark.slow
@pytest.mark.parametrize("has_features", [True, False])
def test_a_trained_run_arrives_with_tables_and_artifacts(
    command: RunCommand, csv_corpus: Path, server: ProjectServer, has_features: bool
) -> None:
    server.has_features = has_features
    own = ("logger=default", "logger.wandb.mode=offline", "logger.wandb.artifacts=[checkpoints,predictions]")
    outcome = command("train", *SMALL, *own, f"data.table={csv_corpus}", "trainer.max_epochs=1")
    assert outcome.code == 0, outcome.err
    outcome = command("wandb_sync", "runs=run")
    assert outcome.code == 0, outcome.err
    assert "1 of 1 run sent" in outcome.out
    names = "\n".join(server.uploads())
    for name in ("results/predictions", "best.ckpt", "predictions.csv", "dataset.json", "wandb-summary.json"):
        assert name in names
    assert command("wandb_sync", "runs=run").out == "nothing to send; 1 run sent before\n"
