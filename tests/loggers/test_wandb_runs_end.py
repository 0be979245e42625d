"""Every training has a W&B run of its own, which ends with it and says how."""

import json
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
from depression_vr.runs.run import Run
from syncing import synced

pytestmark = pytest.mark.slow

# a process of its own, since W&B's is killed
_WITHOUT_WANDB = """
import psutil
from breaking import at_step
from depression_vr.errors import UserError
from depression_vr.train import main

def kill_wandb():
    (core,) = [each for each in psutil.Process().children(recursive=True) if "wandb-core" in each.name()]
    core.kill()
    core.wait()

def fail():
    kill_wandb()
    raise UserError("it broke")

with at_step(3, {action}):
    main()
"""
OFFLINE = (*SMALL[:-1], "logger=default", "logger.wandb.mode=offline")


@pytest.fixture(autouse=True)
def _no_run_before() -> Iterator[None]:
    wandb.teardown()
    yield
    wandb.teardown()


def without_wandb(action: str, folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Trainings in a process of their own, to whose W&B something happens in the third step."""
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT_WANDB.format(action=action), *OFFLINE, *overrides],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


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


def test_only_seeds_share_a_variant(command: RunCommand, csv_corpus: Path) -> None:
    changes = "seed=0,1", "model.attention=sta,ta"
    once = ("trainer.max_epochs=1", "hydra.sweep.dir=grid", f"data.table={csv_corpus}")
    outcome = command("train", "-m", *changes, *OFFLINE, *once)
    assert outcome.code == 0, outcome.err
    variants: dict[str, list[int]] = {}
    for folder in Path("grid").glob("*_sta_drn_*"):
        config = json.loads(synced(folder).queries("UpsertBucket")[-1]["config"])
        shown = {key: config[key]["value"] for key in ("network", "fingerprint", "seed", "model/attention")}
        assert config["variant"]["value"] == f"sta_drn {shown['fingerprint']}"
        variants.setdefault(config["variant"]["value"], []).append(shown["seed"])
    assert [sorted(seeds) for seeds in variants.values()] == [[0, 1], [0, 1]]


def test_a_training_that_fails_says_so(command: RunCommand, csv_corpus: Path) -> None:
    def fail() -> None:
        raise UserError("it broke")

    with at_step(3, fail):
        assert command("train", *OFFLINE, f"data.table={csv_corpus}", "hydra.run.dir=run").code == 2
    assert wandb.run is None
    assert exit_code(Path("run")) == 1


def test_the_error_of_a_training_is_told_also_where_wandb_has_died(csv_corpus: Path, tmp_path: Path) -> None:
    done = without_wandb("fail", tmp_path, f"data.table={csv_corpus}", "hydra.run.dir=run")
    assert (done.returncode, "error: it broke" in done.stderr) == (2, True)
    assert done.stderr.count("warning: W&B has failed") == 1


def test_trainings_go_on_where_wandb_dies_in_the_first(csv_corpus: Path, tmp_path: Path) -> None:
    of_the_grid = ("-m", "seed=0,1", f"data.table={csv_corpus}", "hydra.sweep.dir=grid")
    done = without_wandb("kill_wandb", tmp_path, *of_the_grid)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: W&B has failed") == 1
    first, second = sorted((tmp_path / "grid").glob("*_sta_drn_*"))
    for folder in (first, second):
        assert Run(folder).is_finished
        rows = (folder / "wandb" / "rows.jsonl").read_text()
        assert rows.count('"development/mae"') == 3
    rows_that_came = synced(second).streamed("wandb-history.jsonl")
    assert sum("development/mae" in row for row in rows_that_came) == 3
    assert sum("results/predictions" in row for row in rows_that_came) == 1


def test_a_training_that_ends_well_says_so(command: RunCommand, csv_corpus: Path) -> None:
    assert command("train", *OFFLINE, f"data.table={csv_corpus}", "hydra.run.dir=run").code == 0
    assert wandb.run is None
    assert exit_code(Path("run")) == 0
