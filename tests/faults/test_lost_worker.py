"""A process that reads frames is killed, as a system does that runs out of memory."""

import multiprocessing
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from breaking import SMALL, at_step, result, undisturbed
from conftest import RunCommand
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run


def kill_the_workers() -> None:
    for process in multiprocessing.active_children():
        process.kill()
        process.join()


@pytest.fixture
def kill_them_unheard() -> Iterator[Callable[[], None]]:
    """Lets torch find out only when it waits for clips."""
    before = signal.getsignal(signal.SIGCHLD)

    def kill() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        kill_the_workers()

    yield kill
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "is_heard"), [(3, True), (6, False)])
def test_the_run_goes_on_with_fewer(
    command: RunCommand, csv_corpus: Path, kill_them_unheard: Callable[[], None], step: int, is_heard: bool
) -> None:
    with at_step(step, kill_the_workers if is_heard else kill_them_unheard):
        outcome = command("train", *SMALL, f"data.table={csv_corpus}", "data.num_workers=2")
    run = Run(Path("run"))
    newest = resume_files(run.checkpoints)[0]
    assert outcome.code == 2
    assert "a process that reads frames was killed" in outcome.err
    assert "data.num_workers, which is 2" in outcome.err
    assert f"resume='{run.folder.absolute()}', from {newest.name}" in outcome.err
    assert "Traceback" not in outcome.err
    assert run.record()["status"] == "failed"
    outcome = command("train", "resume=run", "data.num_workers=0")
    assert outcome.code == 0, outcome.err
    assert result(run) == undisturbed(command, csv_corpus)


@pytest.mark.slow
def test_too_little_shared_memory_is_named(tmp_path: Path, csv_corpus: Path) -> None:
    large = ("data.size=256", "data.num_workers=1", f"data.table={csv_corpus}")
    train = shlex.join([sys.executable, "-m", "depression_vr.train", *SMALL, *large])
    alone = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=1m tmpfs /dev/shm && exec {train}"]
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    ended = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "the shared memory is full" in ended.stderr
    assert "data.num_workers, which is 1" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert Run(tmp_path / "run").record()["status"] == "failed"
