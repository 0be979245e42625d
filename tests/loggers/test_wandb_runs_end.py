"""Every training has a W&B run of its own, which ends with it and says how."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from breaking import SMALL, at_step
from conftest import RunCommand
from depression_vr.errors import UserError
from syncing import synced

pytestmark = pytest.mark.slow

# its process is killed, and with it what every later W&B run of this process would need
_WITHOUT_WANDB = """
import psutil
from breaking import at_step
from depression_vr.errors import UserError
from depression_vr.train import main

def fail():
    for child in psutil.Process().children(recursive=True):
        if "wandb-core" in child.name():
            child.kill()
            child.wait()
    raise UserError("it broke")

with at_step(3, fail):
    main()
"""
OFFLINE = (*SMALL[:-1], "logger=default", "logger.wandb.mode=offline")


@pytest.fixture(autouse=True)
def _no_run_before() -> Iterator[None]:
    wandb.teardown()
    yield
    wandb.teardown()


def exit_code(run_folder: Path) -> int:
    return synced(run_folder).ended_with()


def test_the_runs_of_a_sweep_in_one_process_are_runs_of_their_own(
    command: RunCommand, csv_corpus: Path
) -> None:
    of_the_sweep = ("hydra.sweep.dir=sweep", "trainer.max_epochs=1", "group=seeds", "job_type=trial")
    outcome = command("train", "-m", "seed=0,1", *OFFLINE, f"data.table={csv_corpus}", *of_the_sweep)
    assert outcome.code == 0, outcome.err
    assert "already in progress" not in outcome.err
    folders = sorted(Path("sweep").glob("*_sta_drn_*"))
    began = [synced(folder).queries("UpsertBucket")[0] for folder in folders]
    assert began[0]["name"] != began[1]["name"]
    assert [run["displayName"] for run in began] == ["sta_drn_csv_seed0", "sta_drn_csv_seed1"]
    assert {(run["groupName"], run["jobType"]) for run in began} == {("seeds", "trial")}


def test_a_training_that_fails_says_so(command: RunCommand, csv_corpus: Path) -> None:
    def fail() -> None:
        raise UserError("it broke")

    with at_step(3, fail):
        assert command("train", *OFFLINE, f"data.table={csv_corpus}", "hydra.run.dir=run").code == 2
    assert wandb.run is None
    assert exit_code(Path("run")) == 1


def test_the_error_of_a_training_is_told_also_where_wandb_has_died(csv_corpus: Path, tmp_path: Path) -> None:
    train = [sys.executable, "-c", _WITHOUT_WANDB, *OFFLINE, f"data.table={csv_corpus}", "hydra.run.dir=run"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        train, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, "error: it broke" in done.stderr) == (2, True)
    assert "W&B did not end" in done.stderr


def test_a_training_that_ends_well_says_so(command: RunCommand, csv_corpus: Path) -> None:
    assert command("train", *OFFLINE, f"data.table={csv_corpus}", "hydra.run.dir=run").code == 0
    assert wandb.run is None
    assert exit_code(Path("run")) == 0
