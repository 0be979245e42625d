"""Which checkpoint a run keeps and is evaluated by under each protocol, and what of it is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from conftest import Outcome, RunCommand
from depression_vr.runs.run import Run

SETTINGS = (
    "data.clip_length=8",
    "data.frame_step=1",
    "data.size=16",
    "data.num_workers=0",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "logger=csv",
)
NETWORK = ("model=sta_drn", "model.base_planes=2", "model.layers=[1,1,1,1]")
BASELINE = ("model=mean_baseline",)
MERGED = "data.protocol=train_dev_merged"
KFOLD = ("data.protocol=subject_disjoint_kfold", "data.folds=3")
SCORES = {subject: float(subject * 7 % 40) for subject in range(301, 307)}

Train = Callable[..., Outcome]


@pytest.fixture
def train(command: RunCommand, csv_corpus: Path) -> Train:
    """Trains on the small table into the folder ``run``, by default the network that says the mean."""

    def run(*overrides: str, model: tuple[str, ...] = BASELINE) -> Outcome:
        table = ("data=csv", f"data.table={csv_corpus}")
        return command("train", *table, *SETTINGS, *model, "hydra.run.dir=run", *overrides)

    return run


def run_of(outcome: Outcome, folder: str = "run") -> Run:
    assert outcome.code == 0, outcome.err
    return Run(Path(folder))


def checkpoints(run: Run) -> set[str]:
    return {file.name for file in run.checkpoints.iterdir()}


def test_selection_keeps_the_epoch_with_the_lowest_development_mae(train: Train) -> None:
    run = run_of(train("trainer.max_epochs=4", "optim.optimizer.lr=0.05", model=NETWORK))
    assert checkpoints(run) == {"best.ckpt", "last.ckpt"}
    log = pd.read_csv(run.folder / "logs" / "metrics.csv").dropna(subset=["development/mae"])
    best = log.loc[log["development/mae"].idxmin()]
    assert run.record()["best_development_mae"] == pytest.approx(best["development/mae"])
    kept = torch.load(run.checkpoints / "best.ckpt", weights_only=True)
    assert kept["epoch"] == best["epoch"]


@pytest.mark.parametrize("every", [1, 2])
def test_merged_training_selects_nothing_and_tests_the_last_epoch(train: Train, every: int) -> None:
    run = run_of(train(MERGED, f"trainer.check_val_every_n_epoch={every}", model=NETWORK))
    assert checkpoints(run) == {"last.ckpt"}
    assert torch.load(run.checkpoints / "last.ckpt", weights_only=True)["epoch"] == 1
    record = run.record()
    assert record["checkpoint"] == "last.ckpt"
    assert record["best_development_mae"] is None
    assert record["dataset"]["videos"] == {"training": 8, "test": 4}
    assert (record["dataset"]["protocol"], record["dataset"]["fold"]) == ("train_dev_merged", None)
    assert set(run.predictions()["subject"]) == {"305", "306"}
    log = pd.read_csv(run.folder / "logs" / "metrics.csv")
    assert not [column for column in log if column.startswith("development/")]


def test_references_are_of_the_merged_training_videos(train: Train) -> None:
    run = run_of(train(MERGED))
    mean = sum(SCORES[subject] for subject in (301, 302, 303, 304)) / 4
    assert run.predictions()["estimate"].tolist() == pytest.approx([mean] * 4)
    predictor = run.metrics()["references"]["mean_predictor"]
    assert {key: run.metrics()["videos"][key] for key in predictor} == pytest.approx(predictor, nan_ok=True)


def test_a_merged_run_is_evaluated_again_but_has_no_development_partition(
    train: Train, command: RunCommand, csv_corpus: Path
) -> None:
    run = run_of(train(MERGED))
    again = run_of(command("evaluate", "run=run", "hydra.run.dir=again"), "again")
    assert again.windows_file.read_bytes() == run.windows_file.read_bytes()
    of_training = command("evaluate", "run=run", "partition=training", "hydra.run.dir=training")
    assert set(run_of(of_training, "training").predictions()["subject"]) == {"301", "302", "303", "304"}
    table = ("data=csv", f"data.table={csv_corpus}", "data.clip_length=8", MERGED)
    for refused in (
        command("evaluate", "run=run", "partition=development"),
        command("clips", *table, "partition=development"),
    ):
        assert refused.code == 2
        assert "has merged the development partition into training" in refused.err
        assert "config key data.protocol" in refused.err


def test_folds_test_every_video_once_and_train_on_the_others(train: Train) -> None:
    predictions = []
    for fold in range(3):
        run = run_of(train(*KFOLD, f"fold={fold}", f"hydra.run.dir=fold{fold}"), f"fold{fold}")
        assert checkpoints(run) == {"best.ckpt", "last.ckpt"}
        dataset = run.record()["dataset"]
        assert dataset["videos"] == {"training": 4, "development": 4, "test": 4}
        assert (dataset["protocol"], dataset["fold"]) == ("subject_disjoint_kfold", fold)
        assert set(dataset["subject_overlap"].values()) == {0}
        predictions.append(run.predictions())
    tested = [video for table in predictions for video in table["video_id"]]
    assert sorted(tested) == [
        f"{subject}_1_{task}" for subject in SCORES for task in ("Freeform", "Northwind")
    ]
    groups = [{int(subject) for subject in table["subject"]} for table in predictions]
    for fold, table in enumerate(predictions):
        trained = SCORES.keys() - groups[fold] - groups[(fold + 1) % 3]
        mean = sum(SCORES[subject] for subject in trained) / 2
        assert table["estimate"].tolist() == pytest.approx([mean] * 4)


def test_the_seed_changes_no_fold_and_evaluation_keeps_it(train: Train, command: RunCommand) -> None:
    first = run_of(train(*KFOLD, "fold=1", "seed=1", model=NETWORK))
    other = run_of(train(*KFOLD, "fold=1", "seed=2", "hydra.run.dir=other"), "other")
    assert first.predictions()["video_id"].tolist() == other.predictions()["video_id"].tolist()
    again = run_of(command("evaluate", "run=run", "hydra.run.dir=again"), "again")
    assert again.windows_file.read_bytes() == first.windows_file.read_bytes()
    assert again.record()["dataset"] == first.record()["dataset"]
    assert (again.config().fold, again.config().data.fold) == (1, 1)


@pytest.mark.parametrize(
    "override",
    [
        "fold=1",
        "data.fold=1",
        "data.folds=4",
        "data.protocol=dev_selected",
        "++data.protocol=dev_selected",
        "~data.fold",
    ],
)
def test_evaluation_does_not_deal_the_videos_of_a_run_anew(
    train: Train, command: RunCommand, override: str
) -> None:
    run_of(train(*KFOLD, "fold=0"))
    outcome = command("evaluate", "run=run", override, "hydra.run.dir=again")
    assert outcome.code == 2
    assert f"config keys run and {override.strip('+~').partition('=')[0]}" in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("again/record.json").exists()


@pytest.mark.parametrize("fold", ["fold=2", "data.fold=2"])
def test_another_corpus_is_dealt_as_the_user_says(
    train: Train, command: RunCommand, csv_corpus: Path, fold: str
) -> None:
    run_of(train())
    corpus = ("data=csv", f"data.table={csv_corpus}", *KFOLD, fold)
    again = run_of(command("evaluate", "run=run", *corpus, "hydra.run.dir=again"), "again")
    assert again.record()["dataset"]["fold"] == 2
    assert (again.config().fold, again.config().data.fold) == (2, 2)


@pytest.mark.parametrize(
    ("overrides", "where"),
    [
        (("fold=0",), "config key data.fold"),
        ((MERGED, "fold=0"), "config key data.fold"),
        (KFOLD, "config key data.fold"),
        ((*KFOLD, "fold=3"), "config key data.fold"),
        ((*KFOLD, "fold=-1"), "config key data.fold"),
        ((*KFOLD, "fold=first"), "config key data.fold"),
        ((KFOLD[0], "data.folds=2", "fold=0"), "config key data.folds"),
        ((KFOLD[0], "data.folds=7", "fold=0"), "config key data.folds"),
        ((MERGED, "callbacks=early_stopping"), "config keys callbacks and data.protocol"),
        (
            (
                MERGED,
                "+callbacks.mine._target_=pytorch_lightning.callbacks.ModelCheckpoint",
                "+callbacks.mine.monitor=development/ccc",
            ),
            "config keys callbacks and data.protocol",
        ),
    ],
)
def test_what_a_protocol_cannot_do_is_refused_before_training(
    train: Train, overrides: tuple[str, ...], where: str
) -> None:
    outcome = train(*overrides)
    assert outcome.code == 2
    assert where in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("run/checkpoints").exists()


def test_a_merged_training_may_stop_early_by_its_own_error(train: Train) -> None:
    run = run_of(
        train(
            MERGED,
            "callbacks=early_stopping",
            "callbacks.early_stopping.monitor=training/mae",
            "+callbacks.early_stopping.stopping_threshold=100",
        )
    )
    assert torch.load(run.checkpoints / "last.ckpt", weights_only=True)["epoch"] == 0


def test_a_merged_training_does_not_take_the_best_checkpoint_of_another_run(train: Train) -> None:
    run = run_of(train())
    run.record_file.write_text(
        json.dumps(run.record() | {"status": "failed"})
    )  # a finished one is refused before
    outcome = train(MERGED)
    assert outcome.code == 2
    assert str(Path("run/checkpoints/best.ckpt")) in outcome.err


@pytest.mark.parametrize("protocol", [(MERGED,), (*KFOLD, "fold=0")])
def test_one_batch_runs_under_every_protocol(train: Train, protocol: tuple[str, ...]) -> None:
    run = run_of(train(*protocol, "debug=one_batch"))
    assert run.record()["status"] == "finished"


def test_subjects_in_several_partitions_are_counted_in_the_record_and_told_in_one_line(
    train: Train, csv_corpus: Path
) -> None:
    text = csv_corpus.read_text()
    for subject in ("305", "306"):  # who now are also people of training
        text = text.replace(f",test,{subject},", f",test,{int(subject) - 4},")
    csv_corpus.write_text(text)
    outcome = train("debug=one_batch")
    record = run_of(outcome).record()
    assert record["dataset"]["subject_overlap"] == {
        "training/development": 0,
        "training/test": 2,
        "development/test": 0,
        "test_videos_of_training_subjects": 4,
        "test_videos_of_development_subjects": 0,
    }
    told = (
        "subjects in several partitions: 2 in training and test; "
        "4 of 4 test videos are of subjects in training\n"
    )
    assert outcome.err.count(told) == 1
    assert record["warnings"]["first"][:2] == [
        "subject 301: is in the partitions training and test",
        "subject 302: is in the partitions training and test",
    ]
