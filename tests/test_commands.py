"""The commands as a user types them: what a run leaves behind, and what wrong input gets."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from conftest import RunCommand
from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.run import Run, open_run

NETWORK = ("model.base_planes=2", "model.layers=[1,1,1,1]")
CLIPS = (
    "data.clip_length=8",
    "data.frame_step=1",
    "data.size=16",
    "data.num_workers=0",
    "trainer=cpu",
    "trainer.max_epochs=2",
)
SMALL = (*NETWORK, *CLIPS)
Train = Callable[..., Run]


@pytest.fixture
def train(command: RunCommand, csv_corpus: Path) -> Train:
    """Trains a tiny STA-DRN on the small table into a named folder."""

    def run(folder: str, *overrides: str) -> Run:
        outcome = command(
            "train",
            "data=csv",
            f"data.table={csv_corpus}",
            "logger=csv",
            *SMALL,
            f"hydra.run.dir={folder}",
            *overrides,
        )
        assert outcome.code == 0, outcome.err
        return open_run(Path(folder))

    return run


def test_a_run_directory_is_complete_by_itself(train: Train, command: RunCommand, csv_corpus: Path) -> None:
    run = train("run", "seed=5")
    record = run.record()
    assert record["status"] == "finished"
    assert record["seed"] == 5
    assert "seed=5" in record["overrides"]
    assert record["packages"]["torch"] == torch.__version__.split("+")[0]
    assert len(record["dataset"]["fingerprint"]) == 64
    assert record["dataset"]["videos"] == {"training": 4, "development": 4, "test": 4}
    assert record["warnings"]["count"] == len(record["warnings"]["first"]) == 1
    assert record["substituted_frames"] == 0
    assert run.config().data.table == str(csv_corpus)
    assert "${" not in run.config_file.read_text()
    videos, windows = run.predictions(), pd.read_csv(run.windows_file)
    assert videos["video_id"].tolist() == [
        f"{subject}_1_{task}" for subject in (305, 306) for task in ("Freeform", "Northwind")
    ]
    assert windows["video_id"].value_counts().to_dict() == videos.set_index("video_id")["windows"].to_dict()
    assert run.metrics()["recordings"]["n"] == 2
    assert set(run.metrics()["tasks"]) == {"Freeform", "Northwind"}
    assert {file.name for file in run.checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}
    log = pd.read_csv(run.folder / "logs" / "metrics.csv")
    assert log["development/mae"].notna().sum() == 2
    assert log["development/mae"].min() == pytest.approx(record["best_development_mae"])


def test_two_runs_with_one_seed_agree_to_the_last_bit(train: Train) -> None:
    first, second, other = train("a"), train("b", "data.num_workers=2"), train("c", "seed=1")
    assert first.metrics_file.read_bytes() == second.metrics_file.read_bytes()
    assert first.windows_file.read_bytes() == second.windows_file.read_bytes()
    assert first.windows_file.read_bytes() != other.windows_file.read_bytes()


def test_evaluate_repeats_a_runs_test_and_takes_other_partitions(train: Train, command: RunCommand) -> None:
    run = train("run")
    outcome = command("evaluate", "run=run", "hydra.run.dir=again", "trainer=cpu")
    assert outcome.code == 0, outcome.err
    assert Run(Path("again")).windows_file.read_bytes() == run.windows_file.read_bytes()
    assert Run(Path("again")).metrics() == run.metrics()
    command("evaluate", "run=run", "partition=development", "hydra.run.dir=dev", "data.batch_size=1")
    assert set(Run(Path("dev")).predictions()["subject"]) == {"303", "304"}


def test_evaluate_takes_another_corpus(train: Train, command: RunCommand, csv_corpus: Path) -> None:
    train("run")
    other = csv_corpus.with_name("other.csv")
    rows = csv_corpus.read_text().splitlines()
    other.write_text("\n".join([rows[0], *(row.replace("training", "test") for row in rows[1:3])]) + "\n")
    outcome = command("evaluate", "run=run", "data=csv", f"data.table={other}", "hydra.run.dir=other")
    assert outcome.code == 0, outcome.err
    evaluation = Run(Path("other"))
    assert len(evaluation.predictions()) == 2
    assert evaluation.config().data.clip_length == 8  # as the run was trained


def test_a_published_checkpoint_is_evaluated(command: RunCommand, csv_corpus: Path) -> None:
    torch.manual_seed(0)
    network = StaDrn(base_planes=2, layers=(1, 1, 1, 1))
    torch.save(network.state_dict(), "best.pth")
    settings = [setting for setting in SMALL if not setting.startswith("trainer.")]
    outcome = command(
        "evaluate", "ckpt=best.pth", "data=csv", f"data.table={csv_corpus}", "hydra.run.dir=out", *settings
    )
    assert outcome.code == 0, outcome.err
    assert (Run(Path("out")).predictions()["estimate"] >= 0).all()


def test_the_mean_baseline_says_the_training_mean(command: RunCommand, csv_corpus: Path) -> None:
    corpus = ("data=csv", f"data.table={csv_corpus}", *CLIPS)
    outcome = command("train", "model=mean_baseline", *corpus, "logger=csv", "hydra.run.dir=run")
    assert outcome.code == 0, outcome.err
    run = Run(Path("run"))
    training_mean = (2 * (301 * 7 % 40) + 2 * (302 * 7 % 40)) / 4
    assert run.predictions()["estimate"].to_list() == [training_mean] * 4
    assert run.metrics()["videos"] == run.metrics()["references"]["mean_predictor"]


def test_accumulation_and_early_stopping_run(train: Train) -> None:
    train("run", "trainer.accumulate_grad_batches=2", "callbacks=early_stopping", "data.batch_size=2")


def wrong(csv_corpus: Path) -> dict[str, tuple[str, tuple[str, ...], str]]:
    table = f"data.table={csv_corpus}"
    cpu = ("trainer=cpu", "model.base_planes=2")
    return {
        "no corpus": ("train", ("data=avec2014", "data.root=nowhere"), "data=synthetic"),
        "no table": ("train", ("data=csv", "data.table=nowhere.csv"), "nowhere.csv"),
        "table not given": ("train", ("data=csv",), "data.table"),
        "unknown group option": ("train", ("data=avec2015",), "avec2015"),
        "unknown key": ("train", ("model.atention=ta",), "atention"),
        "unknown attention": ("train", ("data=csv", table, "model.attention=all"), "sta_fused"),
        "wrong type": ("train", ("data=csv", table, "data.clip_length=0"), "clip"),
        "no GPU": ("train", ("data=csv", table, "trainer=gpu"), "gpu"),
        "bf16 on a CPU": (
            "train",
            ("data=csv", table, *cpu, "trainer.precision=bf16-mixed"),
            "32-true",
        ),
        "nothing to evaluate": ("evaluate", ("data=csv", table), "run=RUN_DIR"),
        "no run": ("evaluate", ("run=nowhere",), "nowhere"),
        "no checkpoint": ("evaluate", ("ckpt=nowhere.pth", "data=csv", table), "nowhere.pth"),
        "text as checkpoint": ("evaluate", (f"ckpt={csv_corpus}", "data=csv", table), "not a checkpoint"),
        "unknown partition": ("evaluate", ("run=nowhere", "partition=all"), "nowhere"),
        "unknown layout": ("synthesize", ("layout=avec2019", "out=videos"), "avec2014"),
        "windows of an epoch": ("clips", ("data=csv", table, "partition=test", "epoch=0"), "epoch"),
    }


@pytest.mark.parametrize("case", wrong(Path()))
def test_wrong_input_gets_one_error_and_exit_code_2(command: RunCommand, csv_corpus: Path, case: str) -> None:
    name, arguments, mentioned = wrong(csv_corpus)[case]
    quiet = ("logger=none",) if name == "train" else ()
    outcome = command(name, *arguments, *quiet)
    assert outcome.code == 2
    assert mentioned in outcome.err
    assert "Traceback" not in outcome.err


def test_a_failed_run_says_so_in_its_record(command: RunCommand, csv_corpus: Path) -> None:
    first = next(iter(sorted((csv_corpus.parent / "301_1_Freeform").iterdir())))
    first.write_bytes(b"")
    outcome = command(
        "train", "data=csv", f"data.table={csv_corpus}", "logger=csv", *SMALL, "hydra.run.dir=run"
    )
    assert outcome.code == 2
    assert str(first) in outcome.err
    assert "Traceback" not in outcome.err
    record = json.loads(Path("run/record.json").read_text())
    assert record["status"] == "failed"
    assert str(first) in record["error"]
    assert not Path("run/metrics.json").exists()


def test_a_bug_shows_its_traceback(command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("depression_vr.assembly.build_datamodule", broken)
    outcome = command("train", "logger=none")
    assert outcome.code == 1
    assert "Traceback" in outcome.err


def test_clips_prints_every_window(command: RunCommand, csv_corpus: Path) -> None:
    settings = ("data=csv", f"data.table={csv_corpus}", "data.clip_length=8", "data.frame_step=2")
    outcome = command("clips", *settings, "partition=test")
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert rows[1] == ["305_1_Freeform", "0", "0", "14", "frame_000000.jpg", "frame_000014.jpg"]
    assert [row[0] for row in rows[1:]] == [  # 31, 12, 25 and 16 frames, every second kept
        "305_1_Freeform",
        "305_1_Freeform",
        "305_1_Northwind",
        "306_1_Freeform",
        "306_1_Freeform",
        "306_1_Northwind",
    ]
    assert len(command("clips", *settings, "partition=training", "epoch=0").out.splitlines()) == 5
