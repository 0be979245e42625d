"""The commands as a user types them: what a run leaves behind, and what wrong input gets."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

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
    assert "fingerprint" in run.record()
    assert "fingerprint" not in Run(Path("again")).record()  # its settings say nothing of the checkpoint
    outcome = command(
        "evaluate", "run=run", "partition=development", "hydra.run.dir=dev", "data.batch_size=1"
    )
    assert outcome.code == 0, outcome.err
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


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_run_from_before_there_were_regions_is_evaluated(
    train: Train, command: RunCommand, csv_corpus: Path, elsewhere: bool
) -> None:
    run = train("run")
    config = run.config()
    for key in ("regions", "read_at", "protocol", "folds", "fold"):
        del config.data[key]
    run.config_file.write_text(OmegaConf.to_yaml(config))
    corpus = ("data=csv", f"data.table={csv_corpus}") if elsewhere else ()
    outcome = command("evaluate", "run=run", *corpus, "hydra.run.dir=again", "trainer=cpu")
    assert outcome.code == 0, outcome.err
    assert Run(Path("again")).windows_file.read_bytes() == run.windows_file.read_bytes()


def test_a_published_checkpoint_is_evaluated(command: RunCommand, csv_corpus: Path) -> None:
    torch.manual_seed(0)
    network = StaDrn(base_planes=2, layers=(1, 1, 1, 1))
    torch.save(network.state_dict(), "best.pth")
    settings = [setting for setting in SMALL if not setting.startswith("trainer.")]
    outcome = command(
        "evaluate",
        "ckpt=best.pth",
        "partition=development",
        "data=csv",
        f"data.table={csv_corpus}",
        "hydra.run.dir=out",
        *settings,
    )
    assert outcome.code == 0, outcome.err
    assert (Run(Path("out")).predictions()["estimate"] >= 0).all()
    assert set(Run(Path("out")).predictions()["subject"]) == {"303", "304"}


def test_the_mean_baseline_says_the_training_mean(command: RunCommand, csv_corpus: Path) -> None:
    corpus = ("data=csv", f"data.table={csv_corpus}", *CLIPS)
    outcome = command("train", "model=mean_baseline", *corpus, "logger=csv", "hydra.run.dir=run")
    assert outcome.code == 0, outcome.err
    run = Run(Path("run"))
    training_mean = (2 * (301 * 7 % 40) + 2 * (302 * 7 % 40)) / 4
    assert run.predictions()["estimate"].to_list() == [training_mean] * 4
    predictor = run.metrics()["references"]["mean_predictor"]
    assert {key: run.metrics()["videos"][key] for key in predictor} == predictor


def test_accumulation_and_early_stopping_run(train: Train) -> None:
    train("run", "trainer.accumulate_grad_batches=2", "callbacks=early_stopping", "data.batch_size=2")


def wrong(csv_corpus: Path) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Command, arguments, and what the error has to mention."""
    table = ("data=csv", f"data.table={csv_corpus}")
    small = (*table, "trainer=cpu", "model.base_planes=2")
    return {
        "no corpus": ("train", ("data=avec2014", "data.root=nowhere"), "data=synthetic"),
        "no table": ("train", ("data=csv", "data.table=nowhere.csv"), "nowhere.csv"),
        "table not given": ("train", ("data=csv",), "give it a value: data.table=..."),
        "root not given": ("train", ("data=avec2013", "data.root=null"), "data.root"),
        "unknown group option": ("train", ("data=avec2015",), "avec2015"),
        "unknown key": ("train", ("model.atention=ta",), "atention"),
        "unknown attention": ("train", (*table, "model.attention=all"), "sta_fused"),
        "layers no list": ("train", (*table, "model.layers=3"), "model"),
        "no layers": ("train", (*table, "model.layers=[]"), "layers"),
        "no frames per clip": ("train", (*table, "data.clip_length=0"), "data.clip_length"),
        "no size": ("train", (*table, "data.size=-5"), "config key data.size: Input should"),
        "key too many": ("train", (*table, "+data.foo=2"), "config key data.foo: there is no such key"),
        "half a frame per clip": ("train", (*table, "data.clip_length=3.5"), "data.clip_length"),
        "word as batch size": ("train", (*table, "data.batch_size=abc"), "data.batch_size"),
        "negative workers": ("train", (*table, "data.num_workers=-1"), "data.num_workers"),
        "word as seed": ("train", (*table, "seed=abc"), "config key seed"),
        "no augmentation list": ("train", (*table, "data.augmentation=null"), "data.augmentation"),
        "word as noise": ("train", (*table, "data.label_noise=abc"), "data.label_noise"),
        "unknown protocol": ("train", (*table, "data.protocol=mine"), "dev_selected"),
        "negative learning rate": ("train", (*small, "optim.optimizer.lr=-1"), "optim.optimizer"),
        "word as epochs": ("train", (*small, "trainer.max_epochs=abc"), "trainer"),
        "no GPU": ("train", (*table, "model.base_planes=2", "trainer=gpu"), "trainer=auto"),
        "unknown precision": ("train", (*small, "precision=8"), "config key precision"),
        "two devices": ("train", (*small, "trainer.devices=2"), "trainer.devices"),
        "bf16 on a CPU without the guard": (
            "train",
            (*small, "precision=bf16-mixed", "callbacks.precision=null"),
            "callbacks.precision",
        ),
        "foreign code": ("train", (*table, "model._target_=os.system"), "os.system"),
        "nothing to evaluate": ("evaluate", table, "run=RUN_DIR"),
        "no run": ("evaluate", ("run=nowhere",), "nowhere"),
        "no run of a number": ("evaluate", ("run=0",), "where: 0"),
        "no run to calibrate": ("calibrate", ("run=0",), "where: 0"),
        "no run to predict with": ("predict", ("run=0", "input=film.mp4"), "where: 0"),
        "list as run": ("evaluate", ("run=[a]",), "config key run"),
        "list as run to explain": ("explain", ("run=[a]",), "config key run"),
        "run not given": ("calibrate", ("run=null",), "config key run"),
        "list as checkpoint": ("evaluate", ("ckpt=[1]", *table), "config key ckpt"),
        "list as checkpoint to import": ("import_weights", ("ckpt=[1]",), "config key ckpt"),
        "no checkpoint": ("evaluate", ("ckpt=nowhere.pth", *table), "nowhere.pth"),
        "text as checkpoint": ("evaluate", (f"ckpt={csv_corpus}", *table), "not a checkpoint"),
        "unknown partition": (
            "evaluate",
            (f"ckpt={csv_corpus}", *table, "partition=all"),
            "config key partition",
        ),
        "unknown layout": ("synthesize", ("layout=avec2019", "out=videos"), "avec2014"),
        "folder for videos not given": ("synthesize", (), "out"),
        "no folder for videos": ("synthesize", ("out=null",), "out"),
        "words for numbers": ("synthesize", ("out=videos", "seconds=abc", "workers=abc"), "workers"),
        "words for people": ("synthesize", ("out=videos", "recordings.training=x"), "recordings.training"),
        "windows of an epoch": ("clips", (*table, "partition=test", "epoch=0"), "epoch"),
        "clips of no partition": ("clips", (*table, "partition=all"), "config key partition"),
        "word as epoch": ("clips", (*table, "partition=training", "epoch=abc"), "epoch"),
    }


@pytest.mark.parametrize("case", wrong(Path()))
def test_wrong_input_gets_one_error_and_exit_code_2(command: RunCommand, csv_corpus: Path, case: str) -> None:
    name, arguments, mentioned = wrong(csv_corpus)[case]
    quiet = ("logger=none",) if name == "train" else ()
    outcome = command(name, *arguments, *quiet)
    assert outcome.code == 2
    assert mentioned in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert not Path("videos").exists()


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
    assert str(first) in Path("run/train.log").read_text()


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("synthesize", ("out=videos", "seconds=${ctrl_c:}"), "the same command goes on"),
        ("clips", ("epoch=${ctrl_c:}",), ""),
    ],
)
def test_ctrl_c_ends_a_command_without_a_traceback(
    command: RunCommand, name: str, arguments: tuple[str, ...], told: str
) -> None:
    OmegaConf.register_resolver("ctrl_c", lambda: signal.raise_signal(signal.SIGINT))
    try:
        outcome = command(name, *arguments)
    finally:
        OmegaConf.clear_resolver("ctrl_c")
    assert outcome.code == 130
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_a_bug_shows_its_traceback(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("depression_vr.data.table.build_manifest", broken)
    outcome = command("train", "data=csv", f"data.table={csv_corpus}", "logger=none")
    assert outcome.code == 1
    assert "Traceback" in outcome.err


@pytest.mark.parametrize("protocol", ["dev_selected", "train_dev_merged"])
def test_a_training_that_diverges_fails(command: RunCommand, csv_corpus: Path, protocol: str) -> None:
    corpus = ("data=csv", f"data.table={csv_corpus}", *SMALL, "logger=none", f"data.protocol={protocol}")
    outcome = command("train", *corpus, "optim.optimizer.lr=1e30", "hydra.run.dir=run")
    assert outcome.code == 2
    assert "optim.optimizer.lr" in outcome.err
    assert Run(Path("run")).record()["status"] == "failed"


def test_the_last_checkpoint_is_of_the_last_epoch(command: RunCommand, csv_corpus: Path) -> None:
    corpus = ("data=csv", f"data.table={csv_corpus}", *CLIPS, "logger=none", "trainer.max_epochs=3")
    command("train", "model=mean_baseline", *corpus, "hydra.run.dir=run")
    epochs = {
        name: torch.load(f"run/checkpoints/{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }
    assert epochs == {"best": 0, "last": 2}  # the mean never improves


@pytest.mark.parametrize("logger", ["none", "csv", "tensorboard", "default"])
@pytest.mark.parametrize("debug", [(), ("debug=one_batch",)])
def test_every_logger_trains(
    command: RunCommand,
    csv_corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    logger: str,
    debug: tuple[str, ...],
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    corpus = ("data=csv", f"data.table={csv_corpus}", *SMALL)
    outcome = command("train", *corpus, f"logger={logger}", *debug)
    assert outcome.code == 0, outcome.err


def test_every_scalar_of_an_evaluation_can_be_changed(train: Train, command: RunCommand) -> None:
    train("run")
    outcome = command(
        "evaluate", "run=run", "+optim.scale.clip=true", "+data.maximum=50", "hydra.run.dir=out"
    )
    assert outcome.code == 0, outcome.err
    config = Run(Path("out")).config()
    assert (config.optim.scale.clip, config.data.maximum) == (True, 50)
    assert command("evaluate", "run=run", "model.base_planes=4").code == 2


def test_a_run_can_be_evaluated_from_another_folder(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    relative = csv_corpus.relative_to(tmp_path)
    command("train", "data=csv", f"data.table={relative}", "logger=csv", *SMALL, "hydra.run.dir=run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome = command("evaluate", "run=../run")
    assert outcome.code == 0, outcome.err


def test_output_that_nobody_reads_on_ends_a_command_without_a_traceback(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        outcome = command("clips", "data=csv", f"data.table={csv_corpus}")
    assert (outcome.code, outcome.err) == (141, "")


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
