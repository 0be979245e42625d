"""What is wrong from the start ends a command before it has left anything, and before days of training."""

from pathlib import Path

import pytest

from conftest import RunCommand

SMALL = ("model=mean_baseline", "data=csv", "trainer=cpu", "logger=csv", "data.num_workers=0")


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("train", (*SMALL, "data.table=nothing.csv"), "nothing.csv"),
        ("train", (*SMALL, "data.table=corpus/videos.csv", "seed=-1"), "no seed"),
        ("train", (*SMALL, "data.table=corpus/videos.csv", "optim.optimizer.lr=-1"), "optim.optimizer"),
        ("evaluate", ("run=nothing",), "no run directory"),
        ("import_weights", ("ckpt=nothing.pth",), "nothing.pth"),
        ("predict", ("run=nothing", "input=corpus"), "no run directory"),
    ],
)
def test_a_refused_command_leaves_no_folder(
    command: RunCommand, csv_corpus: Path, name: str, arguments: tuple[str, ...], told: str
) -> None:
    outcome = command(name, *arguments)
    assert outcome.code == 2
    assert told in outcome.err
    assert not Path("outputs").exists()


def test_what_was_there_before_stays(command: RunCommand) -> None:
    Path("mine").mkdir()
    Path("outputs/of_before").mkdir(parents=True)
    for folder in ("mine", "outputs/refused/now"):
        outcome = command("train", *SMALL, "data.table=nothing.csv", f"hydra.run.dir={folder}")
        assert outcome.code == 2
    assert "nothing.csv" in Path("mine/train.log").read_text()
    assert [path.name for path in Path("outputs").iterdir()] == ["of_before"]


def test_a_folder_with_others_in_it_is_no_run_directory(command: RunCommand, csv_corpus: Path) -> None:
    outcome = command("train", *SMALL, f"data.table={csv_corpus}", "hydra.run.dir=corpus")
    assert outcome.code == 2
    assert "holds others, such as 301_1_Freeform" in outcome.err
    assert not Path("corpus/config.yaml").exists()


@pytest.mark.parametrize("missing", ["training", "development", "test"])
def test_a_partition_without_videos_is_noticed_before_the_training(
    command: RunCommand, csv_corpus: Path, missing: str
) -> None:
    rows = csv_corpus.read_text().splitlines()
    csv_corpus.write_text("\n".join(row for row in rows if f",{missing}," not in row) + "\n")
    outcome = command("train", *SMALL, f"data.table={csv_corpus}")
    assert outcome.code == 2
    assert f"no video in the {missing} partition" in outcome.err
    assert not Path("outputs").exists()
