"""A sweep that was killed or stopped goes on with the same command, in the trial that was under way."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from optuna.trial import TrialState

from conftest import RunCommand
from depression_vr.runs.run import Run
from killing import KILLED, KillPoint, trained, training
from studies import TINY, states, sweep, swept, trials_in

COMPLETE, PRUNED, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING
STEP = "torch.optim:AdamW.step"
SWEEP = (
    "-m",
    "hparams_search=sta_drn_optuna",
    *TINY,
    "trainer.max_epochs=3",
    "callbacks.resume.every_n_steps=1",
)
FOLDER = Path("multirun/sta_drn_optuna_csv")


def wait_for(process: "subprocess.Popen[bytes]", folder: Path, is_there: Callable[[], bool]) -> None:
    while not is_there():
        time.sleep(0.02)
        assert process.poll() is None, (folder / "sweep.out").read_text()


@pytest.mark.slow
def test_twelve_trials_one_killed_none_lost_none_repeated(
    command: RunCommand, csv_corpus: Path, tmp_path: Path
) -> None:
    """One sweep is killed in its fifth trial, as by whoever shuts the machine down."""
    whole = (
        *SWEEP,
        f"data.table={csv_corpus}",
        "hydra.sweeper.n_trials=12",
        "callbacks.median_stopping.pruner.n_startup_trials=5",
        "trainer.max_epochs=4",
        "data.batch_size=2",
    )
    folder = tmp_path / FOLDER
    fifth = folder / "trial_004"
    process = sweep(tmp_path, *whole)
    wait_for(process, tmp_path, lambda: bool(list((fifth / "checkpoints").glob("resume-*.ckpt"))))
    process.kill()
    process.wait()
    before = trials_in(folder)
    assert [trial.state == RUNNING for trial in before] == [False] * 4 + [True]
    assert Run(fifth).record()["status"] == "running"
    files = contents(folder / f"trial_00{number}" for number in range(4))

    assert swept(tmp_path, *whole) == 0, (tmp_path / "sweep.out").read_text()
    after = trials_in(folder)
    assert len(after) == 12
    assert {trial.state for trial in after} <= {COMPLETE, PRUNED}
    assert len({json.dumps(trial.params) for trial in after}) == 12
    assert [trial.params for trial in after[:5]] == [trial.params for trial in before]
    assert after[:4] == before[:4]
    assert contents(folder / f"trial_00{number}" for number in range(4)) == files
    assert len(Run(fifth).record()["resumes"]) == 1
    assert "going on from resume-" in (fifth / "train.log").read_text()
    assert len(list(folder.glob("trial_*"))) == 12
    best = min((trial for trial in after if trial.state == COMPLETE), key=lambda trial: trial.value or 0)
    run = folder / f"trial_{best.number:03d}"
    assert f"evaluate run='{run}'" in (tmp_path / "sweep.out").read_text()
    outcome = command("evaluate", f"run={run}", "hydra.run.dir=evaluated")
    assert outcome.code == 0, outcome.err
    assert Run(Path("evaluated")).metrics()["videos"] == Run(run).metrics()["videos"]


def contents(folders: Iterable[Path]) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_trial_that_is_killed_twice_at_the_same_place_has_failed(csv_corpus: Path, tmp_path: Path) -> None:
    sweep = (*SWEEP, f"data.table={csv_corpus}", "hydra.sweeper.n_trials=1")
    for _ in range(2):
        assert trained(tmp_path, sweep, KillPoint(STEP, 1)) == KILLED
    assert trained(tmp_path, sweep) == 0
    killed, other = trials_in(tmp_path / FOLDER)
    assert killed.state == TrialState.FAIL
    assert "killed 2 times" in killed.user_attrs["error"]
    assert other.state == COMPLETE


@pytest.mark.slow
def test_a_trial_that_got_on_between_kills_has_not_failed(csv_corpus: Path, tmp_path: Path) -> None:
    sweep = (*SWEEP, f"data.table={csv_corpus}", "hydra.sweeper.n_trials=1", "data.batch_size=2")
    for _ in range(3):
        assert trained(tmp_path, sweep, KillPoint(STEP, 2)) == KILLED
    assert trained(tmp_path, sweep) == 0
    assert states(tmp_path / FOLDER) == [COMPLETE]
    assert len(Run(tmp_path / FOLDER / "trial_000").record()["resumes"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_sweep_that_is_stopped_goes_on(csv_corpus: Path, tmp_path: Path, number: int, code: int) -> None:
    sweep = (*SWEEP, f"data.table={csv_corpus}", "hydra.sweeper.n_trials=2", "trainer.max_epochs=10")
    process = training(tmp_path, sweep)
    checkpoints = tmp_path / FOLDER / "trial_000" / "checkpoints"
    while not list(checkpoints.glob("resume-*.ckpt")):
        time.sleep(0.05)
        assert process.is_alive(), (tmp_path / "train.out").read_text()
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == code
    assert states(tmp_path / FOLDER) == [RUNNING]
    assert Run(tmp_path / FOLDER / "trial_000").record()["status"] == "interrupted"
    said = (tmp_path / "train.out").read_text()
    assert "Traceback" not in said
    assert trained(tmp_path, sweep) == 0
    assert len(states(tmp_path / FOLDER)) == 2
    assert RUNNING not in states(tmp_path / FOLDER)
