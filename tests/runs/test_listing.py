"""The list of runs: what each line says, and that nothing on disk can break it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from conftest import Outcome, RunCommand
from depression_vr.runs.listing import find_runs, in_order, summaries, summary_of
from depression_vr.runs.process import this_process
from depression_vr.runs.run import Run

NAME = "runs.__main__"
TINY = (
    "model=mean_baseline",
    "data.clip_length=8",
    "data.frame_step=1",
    "data.size=16",
    "data.num_workers=0",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "logger=none",
)
STARTED = "2026-01-01T10:00:00+00:00"

Train = Callable[..., Outcome]


@pytest.fixture
def train(command: RunCommand, csv_corpus: Path) -> Train:
    """Trains the mean predictor on the small table into a folder."""

    def run(folder: str, *overrides: str) -> Outcome:
        corpus = ("data=csv", f"data.table={csv_corpus}")
        return command("train", *corpus, *TINY, *overrides, f"hydra.run.dir={folder}")

    return run


def write_run(folder: Path, mae: float | None = None, **facts: Any) -> Path:
    """A run directory with a record of these facts; with metrics where it has finished."""
    run = Run(folder)
    folder.mkdir(parents=True)
    run.config_file.touch()
    run.record_file.write_text(json.dumps({"status": "finished", "started": STARTED} | facts))
    if "status" not in facts:
        metrics = {"partition": "test", "videos": {"mae": mae, "rmse": 2.0, "ccc": None}}
        run.metrics_file.write_text(json.dumps(metrics))
    return folder


def test_a_line_says_what_the_run_says_of_itself(train: Train) -> None:
    outcome = train("outputs/name/time", "seed=3")
    assert outcome.code == 0, outcome.err
    folder = Path("outputs/name/time")
    run, found = Run(folder), summary_of(folder)
    videos = run.metrics()["videos"]
    assert (found.status, found.seed, found.corpus, found.network) == ("finished", 3, "csv", "mean_baseline")
    assert found.experiment == "mean_baseline_csv_seed3"
    assert (found.mae, found.rmse, found.ccc) == (videos["mae"], videos["rmse"], videos["ccc"])
    assert found.development_mae == run.record()["best_development_mae"]
    assert found.partition == "test"
    assert found.started is not None
    assert found.duration is not None
    assert timedelta(0) <= found.duration < timedelta(minutes=1)


def test_the_command_lists_what_lies_below_outputs_and_multirun(train: Train, command: RunCommand) -> None:
    train("outputs/name/time", "seed=3")
    write_run(Path("multirun/time/0_name"), status="failed", error="UserError: the table cannot be read")
    write_run(Path("elsewhere/run"))
    outcome = command(NAME, "sort=folder")
    assert outcome.code == 0, outcome.err
    count, headings, *lines = outcome.out.splitlines()
    assert count == "2 runs"
    assert headings.split()[:2] == ["started", "status"]
    failed, finished = lines
    mae = f"{Run(Path('outputs/name/time')).metrics()['videos']['mae']:.2f}"
    assert finished.split()[2:6] == ["finished", "mean_baseline_csv_seed3", "mean_baseline", "csv"]
    assert {"3", mae, "outputs/name/time"} <= set(finished.split())
    assert {"failed", "multirun/time/0_name"} <= set(failed.split())
    assert "the table cannot be read" in failed
    assert command(NAME, "root=elsewhere").out.startswith("1 run\n")


def test_a_long_reason_is_cut_where_it_can_be_seen(command: RunCommand) -> None:
    reasons = "settings were refused: config key data.num_workers: must be at least 0", "no room " * 40
    for number, error in enumerate(reasons):
        write_run(Path(f"outputs/{number}"), status="failed", error=f"UserError: {error}")
    *_, whole, cut = command(NAME, "sort=folder").out.splitlines()
    assert whole.endswith(f"outputs/0  {reasons[0]}")
    assert cut.endswith("no room no ...")


def test_a_recipes_name_stands_before_the_runs(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", overrides=["seed=1", "experiment=tiny"], name="other")
    assert summary_of(folder).experiment == "tiny"


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleep) as other:
        process = this_process() | {"pid": other.pid, "started": psutil.Process(other.pid).create_time()}
        folder = write_run(tmp_path / "run", status="running", process=process)
        running = summary_of(folder)
        other.kill()
        while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        zombie = summary_of(folder)
    killed = summary_of(folder)
    assert (running.status, zombie.status, killed.status) == ("running", "killed", "killed")
    assert running.duration is not None
    assert killed.duration is None


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "running"),
        ({"started": this_process()["started"] - 3600}, "killed"),  # the number belongs to another process
        ({"host": "another", "pid": 2**30}, "running"),  # as far as can be known here
    ],
)
def test_only_a_process_that_is_known_to_be_gone_was_killed(
    tmp_path: Path, changed: dict[str, Any], status: str
) -> None:
    folder = write_run(tmp_path / "run", status="running", process=this_process() | changed)
    assert summary_of(folder).status == status


def test_a_record_from_before_processes_were_noted_is_taken_at_its_word(tmp_path: Path) -> None:
    assert summary_of(write_run(tmp_path / "run", status="running")).status == "running"


def test_damaged_directories_are_listed_and_do_not_hide_others(command: RunCommand, tmp_path: Path) -> None:
    runs = tmp_path / "outputs"
    write_run(runs / "whole", mae=1.0)
    Run(write_run(runs / "no metrics")).metrics_file.unlink()
    Run(write_run(runs / "no record")).record_file.unlink()
    Run(write_run(runs / "half a record")).record_file.write_text('{"status": "fini')
    Run(write_run(runs / "empty record")).record_file.write_text("")
    Run(write_run(runs / "half metrics")).metrics_file.write_text('{"videos": {"mae": "lo')
    write_run(runs / "unknown status", status="sleeping")
    write_run(runs / "words", process={"host": "a", "pid": "b", "started": "c"})
    (runs / "bytes").mkdir()
    (runs / "bytes" / "record.json").write_bytes(b"\xff\xfe\x00")
    (runs / "empty folder").mkdir()
    (runs / "folder for a file" / "record.json").mkdir(parents=True)
    found = {run.folder.name: run for run in summaries(find_runs([runs]))}
    assert found.pop("whole").status == "finished"
    assert {run.status for run in found.values()} == {"damaged"}
    assert len(found) == 8
    assert "metrics.json" in found["no metrics"].remark
    assert "record.status" in found["unknown status"].remark
    outcome = command(NAME, "status=damaged")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("8 runs\n")


def test_nothing_within_a_run_is_a_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "outputs" / "run")
    write_run(folder / "wandb" / "files")
    write_run(tmp_path / "outputs" / ".hidden" / "run")
    assert list(find_runs([tmp_path / "outputs"])) == list(find_runs([folder])) == [folder]


def test_sorting_puts_the_best_first_and_what_has_no_value_last(tmp_path: Path) -> None:
    for name, mae, day in (("a", 3.0, 1), ("b", None, 3), ("c", 2.0, 2)):
        write_run(tmp_path / name, mae=mae, started=f"2026-01-0{day}T10:00:00+00:00")
    runs = summaries(find_runs([tmp_path]))
    assert [run.folder.name for run in in_order(runs, "mae")] == ["c", "a", "b"]
    assert [run.folder.name for run in in_order(runs, "started")] == ["b", "c", "a"]


def test_a_limit_says_how_many_there_are(command: RunCommand) -> None:
    for name in "abc":
        write_run(Path("outputs") / name, mae=ord(name))
    outcome = command(NAME, "limit=1", "sort=mae")
    assert outcome.out.startswith("1 of 3 runs\n")
    assert "outputs/a" in outcome.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ((), "config key root"),  # neither outputs nor multirun
        (("root=nowhere",), "nowhere"),
        (("root=[.,nowhere]",), "nowhere"),
        (("root=.", "status=sleeping"), "config key status"),
        (("root=.", "sort=size"), "config key sort"),
        (("root=.", "limit=0"), "config key limit"),
    ],
)
def test_wrong_settings_are_refused(command: RunCommand, arguments: tuple[str, ...], where: str) -> None:
    outcome = command(NAME, *arguments)
    assert outcome.code == 2
    assert where in outcome.err
    assert "Traceback" not in outcome.err


def test_a_thousand_runs_are_listed_without_torch(tmp_path: Path) -> None:
    first = write_run(
        tmp_path / "outputs" / "0", mae=1.0, packages={f"package{n}": "1.0" for n in range(150)}
    )
    for number in range(1, 1000):
        shutil.copytree(first, first.with_name(str(number)))
    code = (
        "import sys, pathlib\n"
        "from depression_vr.runs.listing import find_runs, summaries\n"
        "print(len(summaries(find_runs([pathlib.Path('outputs')]))))\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1000", "False"]
