"""A sweep leaves a study, and the same command goes on with it."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from optuna.trial import TrialState

from conftest import RunCommand
from depression_vr.runs.run import Run
from studies import SEARCH, SWEEP, TINY, states, study_in, trials_in

COMPLETE, FAIL = TrialState.COMPLETE, TrialState.FAIL


def test_a_sweep_leaves_a_study_whose_best_trial_can_be_evaluated(
    command: RunCommand, csv_corpus: Path
) -> None:
    search = (*SEARCH, f"data.table={csv_corpus}", "trainer.max_epochs=2")
    outcome = command("train", *search, "hydra.sweeper.n_trials=2")
    assert outcome.code == 0, outcome.err
    trials = trials_in(SWEEP)
    assert [trial.state for trial in trials] == [COMPLETE, COMPLETE]
    for trial in trials:
        run = Run(SWEEP / f"trial_{trial.number:03d}")
        assert trial.value == run.record()["best_development_mae"]
        assert run.config().optim.optimizer.lr == trial.params["optim.optimizer.lr"]
        assert run.config().optim.optimizer.weight_decay == trial.params["optim.optimizer.weight_decay"]
        assert run.config().model.dropout == trial.params["model.dropout"]
    best = min(trials, key=lambda trial: trial.value or 0)
    written = pd.read_csv(SWEEP / "trials.csv")
    assert written.loc[0, "trial"] == best.number
    assert written.loc[0, "development_mae"] == best.value
    assert f"evaluate run='{Path.cwd() / SWEEP}/trial_{best.number:03d}'" in outcome.out
    assert "importance of parameters" in outcome.out
    page = (SWEEP / "study.html").read_text()  # opens without a network
    assert re.findall(r"<link[^>]*>", page) == ['<link rel="icon" href="data:,">']
    assert "<script src" not in page
    assert "prefers-color-scheme: dark" in page
    assert "plotly.js v" in page
    assert page.count("Plotly.newPlot(") >= 5

    outcome = command("train", *search, "hydra.sweeper.n_trials=3")  # the same command wants one more
    assert outcome.code == 0, outcome.err
    after = trials_in(SWEEP)
    assert after[:2] == trials
    assert states(SWEEP) == [COMPLETE] * 3
    outcome = command("evaluate", f"run={SWEEP}/trial_{best.number:03d}", "hydra.run.dir=evaluated")
    assert outcome.code == 0, outcome.err


def test_a_failed_trial_is_recorded_and_stops_no_other(command: RunCommand, csv_corpus: Path) -> None:
    refused = "model.groups=choice(2,3)"  # 3 does not divide the 2 planes
    outcome = command(
        "train", *SEARCH, f"data.table={csv_corpus}", refused, "hydra.sweeper.n_trials=2",
        "hydra/sweeper/sampler=random",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    trials = trials_in(SWEEP)
    assert {trial.params["model.groups"]: trial.state for trial in trials} == {2: COMPLETE, 3: FAIL}
    assert sum(trial.state == COMPLETE for trial in trials) == 2
    failed = next(trial for trial in trials if trial.state == FAIL)
    assert "groups" in failed.user_attrs["error"]
    assert f"trial {failed.number} failed: " in outcome.out


def test_failures_in_a_row_end_the_sweep(command: RunCommand, csv_corpus: Path) -> None:
    broken = ("data.size=4000000", "hydra.sweeper.most_failures_in_a_row=2")
    outcome = command("train", *SEARCH, f"data.table={csv_corpus}", *broken)
    assert outcome.code == 2
    assert "2 trials have failed in a row, the last with: " in outcome.err
    assert "too little memory" in outcome.err
    assert "train.log" in outcome.err
    assert "Traceback" not in outcome.err
    assert states(SWEEP) == [FAIL, FAIL]
    assert "too little memory" in trials_in(SWEEP)[0].user_attrs["error"]


def test_a_study_keeps_to_the_settings_it_began_with(command: RunCommand, csv_corpus: Path) -> None:
    search = (*SEARCH, f"data.table={csv_corpus}", "hydra.sweeper.n_trials=1")
    assert command("train", *search).code == 0
    outcome = command("train", *search, "model.attention=sa", "seed=1", "model.dropout=interval(0.0, 0.2)")
    assert outcome.code == 2
    assert "was begun with other settings" in outcome.err
    assert "model.attention: sta_fused then, sa now" in outcome.err
    assert "seed: 0 then, 1 now" in outcome.err
    assert "search space of model.dropout" in outcome.err
    assert "data.batch_size" not in outcome.err
    assert len(trials_in(SWEEP)) == 1


@pytest.mark.slow
def test_a_study_keeps_to_its_corpus(command: RunCommand, csv_corpus: Path) -> None:
    search = (*SEARCH, "hydra.sweeper.most_failures_in_a_row=1")
    assert command("train", *search, f"data.table={csv_corpus}", "hydra.sweeper.n_trials=1").code == 0
    other = csv_corpus.with_name("other.csv")
    other.write_text(csv_corpus.read_text().replace(",27,training", ",28,training"))
    outcome = command("train", *search, f"data.table={other}", "hydra.sweeper.n_trials=2")
    assert outcome.code == 2
    assert "its corpus is not the one that the study began with" in outcome.err
    assert states(SWEEP) == [COMPLETE, FAIL]


@pytest.mark.slow
def test_proposals_depend_on_seed_number_and_history_only(command: RunCommand, csv_corpus: Path) -> None:
    search = (*SEARCH, f"data.table={csv_corpus}", "hydra.sweeper.sampler.n_startup_trials=1")
    assert command("train", *search, "hydra.sweeper.n_trials=3").code == 0
    for wanted in (1, 2, 3):
        outcome = command(
            "train", *search, f"hydra.sweeper.n_trials={wanted}", "hydra.sweeper.study_name=in_parts"
        )
        assert outcome.code == 0
    proposed = [trial.params for trial in trials_in(SWEEP)]
    assert [trial.params for trial in trials_in(Path("multirun/in_parts"))] == proposed
    assert len({json.dumps(params) for params in proposed}) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-m", "data.protocol=train_dev_merged"), "no development partition"),
        (("-m", "hydra.sweeper.n_jobs=2"), "hydra/launcher=joblib"),
        (("-m", "hydra.sweeper.n_trials=0"), "hydra.sweeper.n_trials"),
        (("-m", "hydra/sweeper/sampler=grid"), "a grid needs no study"),
        (("-m", "model.dropout=glob(*)"), "hydra.sweeper.params"),
        (("-m", "hydra.sweeper.storage=nosuch://x/y"), "cannot be opened"),
        (
            ("-m", "optim.optimizer.lr=1", "optim.optimizer.weight_decay=1", "model.dropout=0"),
            "nothing left to search",
        ),
        (("-m", "model.nosuch=1"), "nosuch"),
        ((), "add -m"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_trial(
    command: RunCommand, csv_corpus: Path, arguments: tuple[str, ...], said: str
) -> None:
    outcome = command("train", *SEARCH[1:], f"data.table={csv_corpus}", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert not list(Path().rglob("record.json"))
    assert not Path("outputs").exists()


def test_a_journal_file_is_a_storage_too(command: RunCommand, csv_corpus: Path) -> None:
    outcome = command(
        "train",
        *SEARCH,
        f"data.table={csv_corpus}",
        "hydra.sweeper.n_trials=1",
        "hydra.sweeper.storage=study.journal",
    )
    assert outcome.code == 0, outcome.err
    assert Path("study.journal").stat().st_size > 0
    assert not (SWEEP / "study.db").exists()
    assert "1 finished" in outcome.out


@pytest.mark.slow
def test_settings_in_common_are_those_of_the_run(command: RunCommand, csv_corpus: Path) -> None:
    """A median-stopped training is another one, but not by the place of the study or the trial's number."""
    search = (*SEARCH[:-1], f"data.table={csv_corpus}", "hydra.sweeper.n_trials=2")
    fixed = ("optim.optimizer.lr=1e-3", "optim.optimizer.weight_decay=1e-2", "model.dropout=choice(0)")
    assert command("train", *search, *fixed).code == 0
    first, second = (Run(SWEEP / f"trial_00{number}").record()["fingerprint"] for number in (0, 1))
    assert first == second
    alone = (*TINY, f"data.table={csv_corpus}", *fixed[:2], "model.dropout=0", "hydra.run.dir=run")
    assert command("train", *alone).code == 0
    assert Run(Path("run")).record()["fingerprint"] != first
    assert study_in(SWEEP).user_attrs["began_with"]["trainer.max_epochs"] == "1"
