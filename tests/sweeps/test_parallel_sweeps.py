"""Trials in processes of their own, two at a time, in one study."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from depression_vr.runs.run import Run
from studies import TINY, states, sweep, swept, trials_in

COMPLETE, FAIL, RUNNING = TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING
LONG = "trainer.max_epochs=15"
RESUMABLE = "callbacks.resume.every_n_steps=1"
PARALLEL = (
    "-m", "hparams_search=sta_drn_optuna", *TINY, RESUMABLE,
    "hydra.sweeper.n_jobs=2",
)  # fmt: skip
FOLDER = Path("multirun/sta_drn_optuna_csv")


@contextmanager
def sweeping(folder: Path, *arguments: str, terminal: bool = False) -> Iterator["subprocess.Popen[bytes]"]:
    """A sweep in a process, two of whose trials have written checkpoints."""
    process = sweep(folder, *arguments, terminal=terminal)
    trials = [folder / FOLDER / f"trial_00{number}" / "checkpoints" for number in (0, 1)]
    while not all(list(checkpoints.glob("resume-*.ckpt")) for checkpoints in trials):
        time.sleep(0.05)
        assert process.poll() is None, (folder / "sweep.out").read_text()
    try:
        yield process
    finally:
        process.kill()


def process_of(folder: Path, trial: int) -> psutil.Process:
    return psutil.Process(Run(folder / FOLDER / f"trial_00{trial}").record()["process"]["pid"])


@pytest.mark.slow
def test_two_workers_share_a_study_and_a_failing_trial_stops_neither(
    csv_corpus: Path, tmp_path: Path
) -> None:
    own = (f"data.table={csv_corpus}", "hydra/launcher=joblib", "hydra.sweeper.n_trials=4")
    refused = ("model.groups=choice(2,3)", "hydra/sweeper/sampler=random")  # 3 does not divide the 2 planes
    assert swept(tmp_path, *PARALLEL, *own, *refused) == 0, (tmp_path / "sweep.out").read_text()
    trials = trials_in(tmp_path / FOLDER)
    assert all((trial.state == COMPLETE) == (trial.params["model.groups"] == 2) for trial in trials)
    assert states(tmp_path / FOLDER).count(COMPLETE) == 4
    assert FAIL in states(tmp_path / FOLDER)
    runs = [Run(tmp_path / FOLDER / f"trial_{trial.number:03d}").record() for trial in trials]
    assert [run.get("best_development_mae") for run in runs] == [trial.value for trial in trials]
    assert len({run["process"]["pid"] for run in runs}) == 2
    assert trials[1].datetime_start < trials[0].datetime_complete  # type: ignore[operator]


@pytest.mark.slow
def test_a_killed_worker_costs_no_trial(csv_corpus: Path, tmp_path: Path) -> None:
    own = (f"data.table={csv_corpus}", "hydra/launcher=joblib", "hydra.sweeper.n_trials=2", LONG)
    with sweeping(tmp_path, *PARALLEL, *own) as process:
        process_of(tmp_path, 0).kill()
        process.wait()
    assert process.returncode == 0, (tmp_path / "sweep.out").read_text()
    assert states(tmp_path / FOLDER) == [COMPLETE] * 2
    # joblib has ended the other one too; either may be the one for which memory does not suffice
    first, other = (Run(tmp_path / FOLDER / f"trial_00{number}").record() for number in (0, 1))
    assert len(first["resumes"]) == len(other["resumes"]) == 1
    assert (
        other["resumes"][0]["started"] >= first["ended"] or first["resumes"][0]["started"] >= other["ended"]
    )


@pytest.mark.slow
def test_a_stopped_sweep_leaves_checkpoints_and_goes_on(csv_corpus: Path, tmp_path: Path) -> None:
    own = (f"data.table={csv_corpus}", "hydra/launcher=joblib", "hydra.sweeper.n_trials=2", LONG)
    with sweeping(tmp_path, *PARALLEL, *own) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 130
    assert states(tmp_path / FOLDER) == [RUNNING] * 2
    runs = [Run(tmp_path / FOLDER / f"trial_00{number}") for number in (0, 1)]
    assert [run.record()["status"] for run in runs] == ["interrupted"] * 2
    assert swept(tmp_path, *PARALLEL, *own) == 0
    assert states(tmp_path / FOLDER) == [COMPLETE] * 2
    assert [len(run.record()["resumes"]) for run in runs] == [1, 1]


@pytest.mark.slow
def test_trials_that_outlive_a_killed_sweep_are_waited_for(csv_corpus: Path, tmp_path: Path) -> None:
    own = (f"data.table={csv_corpus}", "hydra/launcher=submitit_local", "hydra.sweeper.n_trials=2", LONG)
    with sweeping(tmp_path, *PARALLEL, *own) as process:
        process.kill()
        process.wait()
    assert process_of(tmp_path, 0).is_running()
    assert swept(tmp_path, *PARALLEL, *own) == 0, (tmp_path / "sweep.out").read_text()
    assert states(tmp_path / FOLDER) == [COMPLETE] * 2
    for number in (0, 1):
        assert "resumes" not in Run(tmp_path / FOLDER / f"trial_00{number}").record()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_ctrl_c_in_a_terminal_leaves_checkpoints(csv_corpus: Path, tmp_path: Path, launcher: str) -> None:
    own = (f"data.table={csv_corpus}", f"hydra/launcher={launcher}", "hydra.sweeper.n_trials=2", LONG)
    with sweeping(tmp_path, *PARALLEL, *own, terminal=True) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: whoever is in the foreground gets it
        assert process.wait() == 130, (tmp_path / "sweep.out").read_text()
    assert states(tmp_path / FOLDER) == [RUNNING] * 2
    runs = [Run(tmp_path / FOLDER / f"trial_00{number}") for number in (0, 1)]
    assert [run.record()["status"] for run in runs] == ["interrupted"] * 2


@pytest.mark.slow
def test_no_worker_outlives_a_killed_sweep(csv_corpus: Path, tmp_path: Path) -> None:
    own = (f"data.table={csv_corpus}", "hydra/launcher=joblib", "hydra.sweeper.n_trials=2", LONG)
    with sweeping(tmp_path, *PARALLEL, *own) as process:
        workers = [process_of(tmp_path, number) for number in (0, 1)]
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    for number in (0, 1):  # what they were at has ended as it would have
        assert Run(tmp_path / FOLDER / f"trial_00{number}").is_finished
    assert swept(tmp_path, *PARALLEL, *own) == 0
    assert states(tmp_path / FOLDER) == [COMPLETE] * 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_grid_names_the_runs_whose_worker_was_ended(
    csv_corpus: Path, tmp_path: Path, number: signal.Signals
) -> None:
    own = ("hydra.sweep.dir=grid", "resume=auto", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    grid = ("-m", *TINY, f"data.table={csv_corpus}", *own, "seed=0,1", LONG, RESUMABLE)
    process = sweep(tmp_path, *grid)
    runs = tmp_path / "grid"
    while len(list(runs.glob("*/checkpoints/resume-*.ckpt"))) < 2:
        time.sleep(0.05)
        assert process.poll() is None, (tmp_path / "sweep.out").read_text()
    (first,) = runs.glob("0_*")
    os.kill(Run(first).record()["process"]["pid"], number)
    assert process.wait() == 2
    said = (tmp_path / "sweep.out").read_text()
    assert "runs have failed or were stopped:" in said
    assert f"{first}: {'interrupted' if number == signal.SIGTERM else 'killed'}" in said
    assert "resume=auto" in said
    assert "Traceback" not in said
    assert swept(tmp_path, *grid) == 0
    assert all(Run(folder).is_finished for folder in runs.glob("?_*"))
    assert len(Run(first).record()["resumes"]) == 1
