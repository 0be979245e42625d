"""What would make a study untrue, or all of its trials fail, is refused."""

import shutil
import sqlite3
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState

from conftest import Outcome, RunCommand
from depression_vr.runs.run import Run
from depression_vr.sweeps.ending import first_line
from studies import SEARCH, SWEEP, states, trials_in

ONE = "hydra.sweeper.n_trials=1"


@pytest.fixture
def search(command: RunCommand, csv_corpus: Path) -> RunCommand:
    """Runs a sweep of trials of a second each."""

    def run(*arguments: str) -> Outcome:
        return command("train", *SEARCH, f"data.table={csv_corpus}", *arguments)

    return run


def forget_the_end(folder: Path) -> None:
    """Let the study have its first trial as running, as where the sweep was killed before it was told."""
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL")
        database.execute("DELETE FROM trial_values")
    database.close()


@pytest.mark.slow
def test_a_trial_that_finished_unheard_is_told_and_not_repeated(search: RunCommand) -> None:
    assert search(ONE).code == 0
    (told,) = trials_in(SWEEP)
    started = Run(SWEEP / "trial_000").record()["started"]
    forget_the_end(SWEEP)
    assert states(SWEEP) == [TrialState.RUNNING]
    assert search(ONE).code == 0
    (again,) = trials_in(SWEEP)
    assert (again.state, again.value) == (TrialState.COMPLETE, told.value)
    assert Run(SWEEP / "trial_000").record()["started"] == started


@pytest.mark.slow
def test_a_run_with_other_settings_is_not_this_trial(search: RunCommand) -> None:
    assert search(ONE).code == 0
    assert search(ONE, "seed=1", "hydra.sweeper.study_name=other").code == 0
    forget_the_end(SWEEP)
    shutil.rmtree(SWEEP / "trial_000")
    shutil.copytree("multirun/other/trial_000", SWEEP / "trial_000")
    outcome = search(ONE)
    assert outcome.code == 2
    assert "seed: 1 there, 0 in the study" in outcome.err
    assert str(SWEEP / "trial_000") in outcome.err
    assert states(SWEEP) == [TrialState.RUNNING]


def test_a_folder_with_the_trials_of_another_study_is_refused(search: RunCommand) -> None:
    assert search(ONE, "hydra.sweep.dir=sw").code == 0
    outcome = search(ONE, "hydra.sweep.dir=sw", "hydra.sweeper.study_name=other", "seed=1")
    assert outcome.code == 2
    assert "the folder holds trial_000, of which the study other knows nothing" in outcome.err
    assert Run(Path("sw/trial_000")).record()["seed"] == 0
    assert search("hydra.sweeper.n_trials=2", "hydra.sweep.dir=sw").code == 0


@pytest.mark.slow
def test_one_study_in_two_folders_is_refused_and_a_moved_one_is_not(search: RunCommand) -> None:
    storage = f"hydra.sweeper.storage=sqlite:///{Path.cwd()}/common.db"
    assert search(ONE, storage, "hydra.sweep.dir=a").code == 0
    outcome = search("hydra.sweeper.n_trials=2", storage, "hydra.sweep.dir=b")
    assert outcome.code == 2
    assert f"has its trials in {Path.cwd() / 'a'}" in outcome.err
    assert f"hydra.sweep.dir: {Path.cwd() / 'b'}" in outcome.err
    assert not list(Path("b").glob("trial_*"))
    Path("a").rename("moved")
    assert search("hydra.sweeper.n_trials=2", storage, "hydra.sweep.dir=moved").code == 0
    assert Run(Path("moved/trial_001")).is_finished


@pytest.mark.slow
def test_a_trial_that_cannot_go_on_has_failed(search: RunCommand) -> None:
    assert search(ONE).code == 0
    forget_the_end(SWEEP)
    run = Run(SWEEP / "trial_000")
    run.record_file.write_text(run.record_file.read_text().replace('"finished"', '"interrupted"'))
    (run.checkpoints / "resume-000000001.ckpt").write_bytes(b"damaged")
    outcome = search(ONE)
    assert outcome.code == 0, outcome.err
    assert states(SWEEP) == [TrialState.FAIL, TrialState.COMPLETE]
    error = trials_in(SWEEP)[0].user_attrs["error"]
    assert "no checkpoint to go on from that is whole:" in error
    assert "resume-000000001.ckpt: is cut off or altered" in error


def test_a_launcher_that_starts_nothing_ends_the_sweep(
    search: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no sbatch
    outcome = search("hydra/launcher=submitit_slurm")
    assert outcome.code == 2
    assert "trial 0 was launched and has not begun" in outcome.err
    assert "srun" in outcome.err
    assert "Traceback" not in outcome.err
    assert len(trials_in(SWEEP)) == 1


@pytest.mark.slow
def test_an_early_stopped_trial_that_reported_nothing_is_shown(search: RunCommand) -> None:
    assert search(ONE).code == 0
    forget_the_end(SWEEP)
    run = Run(SWEEP / "trial_000")
    stopped = '"stopped_early": {"epoch": 0, "development_mae": 1.0}'
    run.record_file.write_text(run.record_file.read_text().replace('"stopped_early": null', stopped))
    outcome = search(ONE)
    assert outcome.code == 0, outcome.err
    (trial,) = trials_in(SWEEP)
    assert (trial.state, trial.value) == (TrialState.PRUNED, None)
    mae = run.record()["best_development_mae"]
    assert f"stopped early: development MAE {mae:.2f}" in outcome.err
    assert f",stopped early,{mae}," in (SWEEP / "trials.csv").read_text()


@pytest.mark.slow
def test_a_trial_killed_between_two_suggestions_gets_those_it_would_have_had(search: RunCommand) -> None:
    assert search(ONE).code == 0
    (whole,) = trials_in(SWEEP)
    forget_the_end(SWEEP)
    shutil.rmtree(SWEEP / "trial_000")
    with sqlite3.connect(SWEEP / "study.db") as database:
        database.execute("DELETE FROM trial_params WHERE param_name != 'optim.optimizer.lr'")
    database.close()
    assert len(trials_in(SWEEP)[0].params) == 1
    assert search(ONE).code == 0
    (again,) = trials_in(SWEEP)
    assert (again.params, again.state) == (whole.params, TrialState.COMPLETE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("+hydra.sweeper.params.model.nosuch=choice(1,2)",), "nosuch"),
        (("model.nosuch=choice(1,2)",), "nosuch"),
        (("data.table=nosuch.csv",), "data.table: nosuch.csv"),
        (("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"), "a trial would be 2 processes"),
        (("hydra/sweeper/sampler=cmaes",), "No module named 'cmaes'"),
        (("hydra/sweeper/sampler=tpe", "hydra.sweeper.sampler.n_startup_trials=x"), "hydra.sweeper"),
        (("experiment=plegdf_fglscf_synthetic",), "the recipe trains PlegdfFglscf, the search is for StaDrn"),
    ],
)
def test_what_no_trial_can_do_is_refused_before_there_is_a_study(
    search: RunCommand, arguments: tuple[str, ...], said: str
) -> None:
    outcome = search(*arguments)
    assert outcome.code == 2, outcome.err
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert not (SWEEP / "study.db").exists()


@pytest.mark.parametrize("many", [("seed=0,1",), ("hparams_search=sta_drn_optuna",)])
def test_gpus_that_submitit_would_hide_are_asked_for(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch, many: tuple[str, ...]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    outcome = command(
        "train", "-m", *many, "data=csv", f"data.table={csv_corpus}", "hydra/launcher=submitit_local"
    )
    assert outcome.code == 2
    assert "hydra.launcher.gpus_per_node=1" in outcome.err
    assert not list(Path().rglob("record.json"))


def test_failures_whose_first_line_announces_others_name_the_first() -> None:
    assert first_line("settings were refused:\n  config key a: is none\n  b: too") == (
        "settings were refused: config key a: is none"
    )
    assert first_line("too little memory\n  where: here") == "too little memory"
