"""A sweep that was killed or stopped goes on with the same command, in the trial that was under way."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from conftest import RunCommand
from depression_vr.runs.run import Run
from killing import KILLED, KillPoint, trained, training
from studies import TINY, states, trials_in

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


@pytest.mark.slow
def test_twelve_trials_one_killed_none_lost_none_repeated(
    command: RunCommand, csv_corpus: Path, tmp_path: Path
) -> None:
    sweep = (*SWEEP, f"data.table={csv_corpus}", "data.batch_size=2", "hydra.sweeper.n_trials=12")
    early = (
        "callbacks.median_stopping.pruner.n_startup_trials=2",
        "callbacks.median_stopping.pruner.n_warmup_steps=1",
    )
    folder = tmp_path / FOLDER
    # after the first four, however early they were stopped
    assert trained(tmp_path, [*sweep, *early, "hydra.sweeper.n_trials=4"]) == 0
    assert trained(tmp_path, [*sweep, *early], KillPoint(STEP, 4)) == KILLED
    before = trials_in(folder)
    assert [trial.state == RUNNING for trial in before] == [False] * 4 + [True]
    assert Run(folder / "trial_004").record()["status"] == "running"
    ends = [Run(folder / f"trial_00{number}").record()["ended"] for number in range(4)]

    assert trained(tmp_path, [*sweep, *early]) == 0
    after = trials_in(folder)
    assert len(after) == 12
    assert {trial.state for trial in after} <= {COMPLETE, PRUNED}
    assert len({json.dumps(trial.params) for trial in after}) == 12
    assert [trial.params for trial in after[:5]] == [trial.params for trial in before]
    assert after[:4] == before[:4]
    assert [Run(folder / f"trial_00{number}").record()["ended"] for number in range(4)] == ends
    assert len(Run(folder / "trial_004").record()["resumes"]) == 1
    assert "going on from resume-" in (folder / "trial_004" / "train.log").read_text()
    assert len(list(folder.glob("trial_*"))) == 12
    best = min((trial for trial in after if trial.state == COMPLETE), key=lambda trial: trial.value or 0)
    run = folder / f"trial_{best.number:03d}"
    outcome = command("evaluate", f"run={run}", "hydra.run.dir=evaluated")
    assert outcome.code == 0, outcome.err
    assert Run(Path("evaluated")).metrics()["videos"] == Run(run).metrics()["videos"]


@pytest.mark.slow
def test_a_trial_that_is_killed_twice_has_failed(csv_corpus: Path, tmp_path: Path) -> None:
    sweep = (*SWEEP, f"data.table={csv_corpus}", "hydra.sweeper.n_trials=1")
    for _ in range(2):
        assert trained(tmp_path, sweep, KillPoint(STEP, 2)) == KILLED
    assert trained(tmp_path, sweep) == 0
    killed, other = trials_in(tmp_path / FOLDER)
    assert killed.state == TrialState.FAIL
    assert "killed 2 times" in killed.user_attrs["error"]
    assert other.state == COMPLETE


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
