"""Jobs in processes: what becomes of them when some fail, are killed or are stopped."""

import functools
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

from depression_vr import parallel
from depression_vr.parallel import Bar, Done, Tick, WorkerDiedError, cores, do_all, run_jobs

PATIENCE = 60  # seconds that processes may take to start on a busy machine
TICKS = Bar("Steps", "steps", None)
BOTH = pytest.mark.parametrize("workers", [1, 2])


class OddError(Exception):
    """Can be pickled, but not be read back: its arguments are not those of the class."""

    def __init__(self, number: int, place: str) -> None:
        super().__init__(f"number {number} at {place}")


def act(folder: Path, job: str, tick: Tick) -> str:
    """Does what a job is called."""
    tick()
    what, _, _ = job.partition(" ")
    if what == "fail":
        raise OSError(28, "No space left on device", job)
    if what == "odd":
        raise OddError(3, "here")
    if what == "die" or (what == "die-once" and not (folder / job).exists()):
        (folder / job).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "threads":
        import torch  # noqa: PLC0415 (in the worker, after it has begun, as the face networks are)

        return f"{cv2.getNumThreads()} {torch.get_num_threads()}"
    if what == "endless":
        work_until_stopped(folder / job, tick)
    return job.upper()


def work_until_stopped(begun: Path, tick: Tick) -> None:
    begun.touch()
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            tick()
            time.sleep(0.01)
    finally:
        begun.rename(begun.with_suffix(".cleaned"))


def run(folder: Path, jobs: Sequence[str], workers: int) -> dict[str, Done[str, str]]:
    ended = run_jobs(functools.partial(act, folder), jobs, workers=workers, ticks=TICKS)
    return {done.job: done for done in ended}


@BOTH
def test_every_job_ends_with_its_result_or_its_error(tmp_path: Path, workers: int) -> None:
    ended = run(tmp_path, ["a", "fail", "b", "odd", "c"], workers)
    assert {job: done.result for job, done in ended.items()} == {
        "a": "A",
        "fail": None,
        "b": "B",
        "odd": None,
        "c": "C",
    }
    full = ended["fail"].error
    assert isinstance(full, OSError)
    assert (full.errno, full.filename) == (28, "fail")
    assert "number 3 at here" in str(ended["odd"].error)
    assert [job for job in "abc" if ended[job].error] == []


def test_a_job_that_kills_its_process_stops_no_other(tmp_path: Path) -> None:
    jobs = ["die 1", "a", "b", "c", "die 2", "d"]
    ended = run(tmp_path, jobs, 2)
    assert {job: done.result for job, done in ended.items() if done.error is None} == {
        job: job.upper() for job in "abcd"
    }
    assert all(isinstance(ended[job].error, WorkerDiedError) for job in ("die 1", "die 2"))


def test_a_job_whose_process_is_killed_is_tried_once_more(tmp_path: Path) -> None:
    ended = run(tmp_path, ["a", "die-once", "b"], 2)
    assert [ended[job].result for job in ("a", "die-once", "b")] == ["A", "DIE-ONCE", "B"]


def test_processes_that_are_killed_as_they_begin_do_not_begin_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_SECONDS_BETWEEN_LOOKS", PATIENCE)  # they die before the first look
    ended = run(tmp_path, ["die 1", "die 2"], 2)
    assert all(isinstance(done.error, WorkerDiedError) for done in ended.values())


def test_stopped_jobs_clean_up_before_the_caller_goes_on(tmp_path: Path) -> None:
    jobs = ["endless 1", "endless 2", "never", "begun"]
    ended = run_jobs(functools.partial(act, tmp_path), ["a", *jobs], workers=2, ticks=TICKS)
    assert next(ended).job == "a"
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "endless 1").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ended.close()
    assert (tmp_path / "endless 1.cleaned").exists()
    assert not (tmp_path / "endless 2").exists()


@BOTH
def test_the_first_error_stops_what_is_done_all_or_not(tmp_path: Path, workers: int) -> None:
    work = functools.partial(act, tmp_path)
    with pytest.raises(OSError, match="No space left"):
        do_all(work, ["fail", "endless 1", "endless 2", "endless 3"], workers=workers, ticks=TICKS)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".cleaned"}


@BOTH
def test_libraries_take_no_more_threads_than_there_are_processes(tmp_path: Path, workers: int) -> None:
    before = cv2.getNumThreads()
    result = run(tmp_path, ["threads"], workers)["threads"].result
    assert result is not None
    of_opencv, of_torch = map(int, result.split())
    assert of_opencv == 1
    assert of_torch * workers <= max(workers, cores())
    assert cv2.getNumThreads() == before


@BOTH
def test_ticks_and_ended_jobs_are_counted(
    tmp_path: Path, workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    steps, ended = Bar("Steps", "steps", 2, per_tick=0.5), Bar("Jobs", "jobs", 4)
    work = functools.partial(act, tmp_path)
    assert len(list(run_jobs(work, ["a", "b", "c", "fail"], workers=workers, ticks=steps, ended=ended))) == 4
    shown = capfd.readouterr().err
    assert "2/2" in next(line for line in shown.splitlines() if line.startswith("Steps"))
    assert "4/4" in next(line for line in shown.splitlines() if line.startswith("Jobs"))


def test_one_process_per_core_that_may_be_used() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
