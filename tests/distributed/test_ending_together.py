"""When one process fails, all end, with its message."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from depression_vr.runs.run import Run
from side_by_side import COLOURS, STA_DRN, Colours, run_command, write_corpus

FRAMES = {"training": [16] * 8, "development": [8, 8], "test": [30, 8]}
RANK = "${oc.decode:${oc.env:LOCAL_RANK,0}}"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    table = write_corpus(tmp_path / "corpus", FRAMES)
    torch.save(Colours().state_dict(), table.parent / "best.pth")
    return table


def command(name: str, table: Path, *arguments: str) -> list[str]:
    given = (f"data.table={table}", "trainer=ddp_sim", "hydra.run.dir=run", *arguments)
    return [sys.executable, "-m", f"depression_vr.{name}", *given]


def test_processes_that_begin_with_other_settings_are_told_apart(table: Path, tmp_path: Path) -> None:
    arguments = (f"data.table={table}", "logger=csv", f"seed='{RANK}'", "name=differs")
    assert run_command(tmp_path, 2, "train", *STA_DRN, *arguments) == [2, 2]
    error = Run(tmp_path / "run").record()["error"]
    assert "config key seed: 0 on rank 0; 1 on rank 1" in error
    assert "weights network.head.bias: " in error
    assert "config key optim" not in error
    assert error.partition(": ")[2] in (tmp_path / "rank0.out").read_text()


def test_processes_with_other_corpora_are_told_apart(table: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus0", FRAMES | {"test": [30, 9]})
    write_corpus(tmp_path / "corpus1", FRAMES)
    given = (f"ckpt={table.parent / 'best.pth'}", f"data.table='{tmp_path}/corpus{RANK}/videos.csv'")
    assert run_command(tmp_path, 2, "evaluate", *COLOURS, *given) == [2, 2]
    error = Run(tmp_path / "run").record()["error"]
    assert "dataset fingerprint: " in error
    assert "weights" not in error
    assert "config key" not in error


@pytest.mark.slow
def test_an_error_of_one_process_is_that_of_the_run(table: Path, tmp_path: Path) -> None:
    frame = table.parent / "test0" / "009.jpg"  # of the second window, which the second process reads
    frame.write_bytes(b"no image")
    evaluation = command("evaluate", table, *COLOURS, f"ckpt={table.parent / 'best.pth'}")
    environment = os.environ | {
        "DEPRESSION_VR_TARGETS": "side_by_side.*",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    done = subprocess.run(
        evaluation, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 1
    assert f"error: on rank 1: a frame cannot be read: it is no image\n  where: {frame}" in done.stderr
    assert "Traceback" not in done.stderr
    record = Run(tmp_path / "run").record()
    assert record["status"] == "failed"
    assert str(frame) in record["error"]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_no_process_outlives_another(table: Path, tmp_path: Path, killed: int) -> None:
    endless = command("train", table, *STA_DRN, "logger=csv", "trainer.max_epochs=10000")
    run = Run(tmp_path / "run")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    with (
        (tmp_path / "out").open("w") as out,
        subprocess.Popen(endless, cwd=tmp_path, stdout=out, stderr=out, env=environment) as first,
    ):
        while not (run.checkpoints / "last.ckpt").exists():
            assert first.poll() is None, (tmp_path / "out").read_text()
            time.sleep(0.1)
        (second,) = psutil.Process(first.pid).children()
        (first if killed == 0 else second).send_signal(signal.SIGKILL)
        first.wait(30)
    psutil.wait_procs([second], timeout=30)
    assert not second.is_running() or second.status() == psutil.STATUS_ZOMBIE
    assert not list(temporary.glob("depression_vr_*"))
    if killed == 1:
        assert first.returncode == 1
        assert "rank 1 was killed (signal 9)" in run.record()["error"]
