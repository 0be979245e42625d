"""Signals as a terminal or a cluster sends them: to a training and to the processes that read its frames."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from breaking import SMALL
from depression_vr.files import is_whole_archive
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run
from killing import training

pytestmark = pytest.mark.slow

ENDLESS = (*SMALL, "trainer.max_epochs=100000")
_SECONDS = 60


def wait_for(condition: Callable[[], bool]) -> None:
    patient_until = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < patient_until
        time.sleep(0.05)


@pytest.fixture
def begin(tmp_path: Path, csv_corpus: Path) -> Iterator[Callable[..., BaseProcess]]:
    """Begins an endless training, and returns when it has its first checkpoints."""
    begun: list[BaseProcess] = []

    def begin(*overrides: str) -> BaseProcess:
        process = training(tmp_path, [*ENDLESS, f"data.table={csv_corpus}", *overrides])
        begun.append(process)
        wait_for(lambda: len(resume_files(tmp_path / "run" / "checkpoints")) == 2 or not process.is_alive())
        assert process.is_alive(), (tmp_path / "train.out").read_text()
        return process

    yield begin
    for process in begun:
        process.kill()


def send(number: int, process: BaseProcess) -> None:
    assert process.pid is not None
    parent = psutil.Process(process.pid)
    for member in (*parent.children(recursive=True), parent):
        os.kill(member.pid, number)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_one_signal_finishes_the_step_and_writes_a_checkpoint(
    begin: Callable[..., BaseProcess], tmp_path: Path, by: signal.Signals, code: int, workers: int
) -> None:
    process = begin(f"data.num_workers={workers}")
    send(by, process)
    process.join(_SECONDS)
    said = (tmp_path / "train.out").read_text()
    run = Run(tmp_path / "run")
    assert process.exitcode == code, said
    assert "Traceback" not in said
    assert (run.record()["status"], run.record()["by"]) == ("interrupted", by.name)
    newest = resume_files(run.checkpoints)[0]
    assert is_whole_archive(newest)
    assert f"to go on from {newest.name}: resume='{run.folder}'" in said
    assert not run.metrics_file.exists()
    assert not run.predictions_file.exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_the_second_ctrl_c_ends_a_training_at_once_that_waits_for_its_frames(
    begin: Callable[..., BaseProcess], tmp_path: Path, csv_corpus: Path, workers: int
) -> None:
    process = begin(f"data.num_workers={workers}")
    for frame in sorted((csv_corpus.parent / "301_1_Freeform").iterdir()):
        os.mkfifo(tmp_path / "pipe")  # nobody writes into it, as nothing comes from a server that hangs
        (tmp_path / "pipe").rename(frame)
    waiting = psutil.Process(process.pid)
    wait_for(lambda: waiting.cpu_percent(1) == 0)
    send(signal.SIGINT, process)
    wait_for(lambda: "Ctrl-C again stops at once" in (tmp_path / "train.out").read_text())
    process.join(0.5)
    assert process.is_alive()
    send(signal.SIGINT, process)
    process.join(15)
    assert process.exitcode == 130
    run = Run(tmp_path / "run")
    assert run.record()["status"] == "interrupted"
    assert all(is_whole_archive(path) for path in resume_files(run.checkpoints))
    assert not run.metrics_file.exists()
