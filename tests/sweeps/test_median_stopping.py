"""A trial that is worse than the study's median stops itself."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from conftest import Outcome, RunCommand
from depression_vr.building import TARGETS_VARIABLE
from depression_vr.runs.run import Run
from depression_vr.sweeps.storage import open_storage
from studies import TINY

STUDY, STORAGE = "others", "sqlite:///study.db"
CALLBACK = (
    "+callbacks.median_stopping._target_=depression_vr.callbacks.median_stopping.MedianStopping",
    "+callbacks.median_stopping.pruner={_target_: optuna.pruners.MedianPruner, n_startup_trials: 2}",
    f"+callbacks.median_stopping.study_name={STUDY}",
    f"+callbacks.median_stopping.storage={STORAGE}",
    "+callbacks.median_stopping.trial=3",
)


@pytest.fixture
def train(command: RunCommand, csv_corpus: Path) -> RunCommand:
    """Runs a training of three epochs as a trial of a study."""

    def run(*arguments: str) -> Outcome:
        return command(
            "train",
            *TINY,
            f"data.table={csv_corpus}",
            "trainer.max_epochs=3",
            "hydra.run.dir=run",
            *arguments,
        )

    return run


def study_of(maes: float) -> optuna.Study:
    """A study with three finished trials of such development MAEs, and the fourth under way."""
    study = optuna.create_study(storage=open_storage(STORAGE), study_name=STUDY)
    for _ in range(3):
        study.add_trial(create_trial(value=maes, intermediate_values=dict.fromkeys(range(3), maes)))
    study.ask()
    return study


def epochs() -> int:
    return len({line.split(",")[0] for line in Path("run/logs/metrics.csv").read_text().splitlines()[1:]})


def test_a_bad_trial_is_stopped_and_evaluated(train: RunCommand) -> None:
    study = study_of(maes=0.1)
    outcome = train(*CALLBACK)
    assert outcome.code == 0, outcome.err
    run = Run(Path("run"))
    record = run.record()
    assert record["status"] == "finished"
    assert record["stopped_early"]["epoch"] == 0
    assert record["stopped_early"]["development_mae"] == record["best_development_mae"]
    assert run.metrics()["videos"]["n"] == 4
    reported = study.trials[3].intermediate_values
    assert reported == {0: pytest.approx(record["best_development_mae"])}
    assert study.trials[3].state == TrialState.RUNNING  # its end is told by the sweep, from the record


def test_a_good_trial_is_not(train: RunCommand) -> None:
    study = study_of(maes=60)
    outcome = train(*CALLBACK)
    assert outcome.code == 0, outcome.err
    assert Run(Path("run")).record()["stopped_early"] is None
    assert sorted(study.trials[3].intermediate_values) == [0, 1, 2]


def test_what_has_ended_in_the_study_ends_where_it_did(train: RunCommand) -> None:
    study = study_of(maes=60)
    for epoch in (0, 1):
        study._storage.set_trial_intermediate_value(study.trials[3]._trial_id, epoch, 70.0)
    study.tell(3, state=TrialState.PRUNED)
    outcome = train(*CALLBACK)
    assert outcome.code == 0, outcome.err
    assert Run(Path("run")).record()["stopped_early"]["epoch"] == 1
    assert study.trials[3].intermediate_values == {0: 70.0, 1: 70.0}


def test_a_study_out_of_reach_stops_no_training(train: RunCommand) -> None:
    outcome = train(*CALLBACK)  # there is no study of this name
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("cannot be reached") == 1
    assert Run(Path("run")).record()["stopped_early"] is None


def test_a_pruner_that_optuna_has_not_is_refused(train: RunCommand) -> None:
    outcome = train(*CALLBACK, "callbacks.median_stopping.pruner._target_=optuna.pruners.Nosuch")
    assert outcome.code == 2
    assert "callbacks.median_stopping" in outcome.err


def test_a_study_that_was_out_of_reach_is_tried_again(
    train: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TARGETS_VARIABLE, "reachable.*")
    study = study_of(maes=0.1)
    hidden = Path("study.db").rename("hidden.db")
    Path("study.db").write_text("no database")
    back = (
        "+callbacks.back._target_=reachable.BackAfter",
        f"+callbacks.back.file={hidden}",
        "+callbacks.back.epoch=1",
    )
    outcome = train(*CALLBACK, *back)
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("cannot be reached") == 1
    assert Run(Path("run")).record()["stopped_early"]["epoch"] == 2
    assert list(study.trials[3].intermediate_values) == [2]
