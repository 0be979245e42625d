"""Spread jobs over processes, with a progress bar that shows rate and time left."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar, cast

import cv2
from rich.progress import MofNCompleteColumn, ProgressColumn, Task
from rich.text import Text

from depression_vr.parallel_workers import Shared, begin_worker, do_job
from depression_vr.progress import progress_bar

Job = TypeVar("Job")
Result = TypeVar("Result")

Tick = Callable[[], None]
"""Tells the progress bar that a piece of work is done. Raises `Stopped` when the work is to end."""

_SECONDS_BETWEEN_LOOKS = 0.2


class WorkerDiedError(Exception):
    """The process that did a job was killed."""

    def __init__(self) -> None:
        super().__init__("its process was killed, perhaps because memory ran out")


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """A job that has ended: with a result, or with the error that it raised."""

    job: Job
    result: Result | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Bar:
    """A progress bar.

    Attributes:
        description: stands before it.
        unit: what it counts, such as ``frames``.
        total: how many there are; None where that is not known.
        per_tick: how many of them one tick is.
    """

    description: str
    unit: str
    total: float | None
    per_tick: float = 1.0


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:.1f} {task.fields['unit']}/s" if rate else "")


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_jobs(
    work: Callable[[Job, Tick], Result],
    jobs: Sequence[Job],
    *,
    workers: int | None,
    ticks: Bar,
    ended: Bar | None = None,
) -> Generator[Done[Job, Result]]:
    """Do all jobs and yield each when it has ended, in any order.

    An error of one job does not stop the others. Closing the generator, or Ctrl-C, stops the jobs at their
    next tick and waits until they have cleaned up. When the process of a job is killed, the jobs that were
    under way are tried once more, each in a process of its own.

    Args:
        work: does one job; a function at the top of a module, or a partial of one.
        jobs: what to give it; picklable.
        workers: processes; None for one per core, 1 for this process itself.
        ticks: counts the ticks of all jobs.
        ended: counts the jobs that have ended.
    """
    with progress_bar(MofNCompleteColumn(), _RateColumn()) as progress:
        bars = [
            progress.add_task(bar.description, total=bar.total, unit=bar.unit)
            for bar in (ticks, ended)
            if bar is not None
        ]

        def show(count: int) -> None:
            progress.update(bars[0], completed=round(count * ticks.per_tick))

        one = (workers or cores()) == 1
        done_jobs = (
            _in_this_process(work, jobs, show) if one else _in_processes(work, jobs, workers or cores(), show)
        )
        with closing(done_jobs):
            for done in done_jobs:
                if ended is not None:
                    progress.advance(bars[1])
                yield done


def do_all(
    work: Callable[[Job, Tick], Result], jobs: Sequence[Job], *, workers: int | None, ticks: Bar
) -> list[Result]:
    """Do all jobs as `run_jobs` does; the first error stops them.

    Returns:
        The results in the order in which they came, which for one worker is that of the jobs.
    """
    results = []
    with closing(run_jobs(work, jobs, workers=workers, ticks=ticks)) as ended:
        for done in ended:
            if done.error is not None:
                raise done.error
            results.append(cast(Result, done.result))
    return results


def _in_this_process(
    work: Callable[[Job, Tick], Result], jobs: Sequence[Job], show: Callable[[int], None]
) -> Generator[Done[Job, Result]]:
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        show(count)

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for job in jobs:
            try:
                yield Done(job, work(job, tick))
            except Exception as error:  # whatever it is, the other jobs go on
                yield Done(job, error=error)
    finally:
        cv2.setNumThreads(threads)


def _in_processes(
    work: Callable[[Job, Tick], Result], jobs: Sequence[Job], workers: int, show: Callable[[int], None]
) -> Generator[Done[Job, Result]]:
    # Spawned, not forked: the caller may hold the threads and locks of torch and of loggers.
    context = multiprocessing.get_context("spawn")
    waiting, suspects = list(jobs), list[Job]()
    ticks_before = 0
    while waiting or suspects:
        # anew for each pool: a process may have been killed while it held the lock
        shared = Shared(
            context.Value("q", ticks_before), context.RawValue("b", 0), max(1, cores() // workers)
        )
        # one that was under way when a process was killed runs alone, so that it can kill no other
        batch, alone = (waiting, False) if waiting else ([suspects.pop()], True)
        waiting = []
        with ProcessPoolExecutor(1 if alone else workers, context, begin_worker, (shared,)) as pool:
            with _interrupts_held():
                futures = {pool.submit(do_job, work, job): job for job in batch}
            try:
                under_way: set[Future[Result]] = set()
                for future in _as_completed(futures, under_way, partial(_show_count, shared, show)):
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        if alone:
                            yield Done(futures[future], error=WorkerDiedError())
                        elif future in under_way:
                            suspects.append(futures[future])
                        else:
                            waiting.append(futures[future])
                    elif isinstance(error, Exception):
                        yield Done(futures[future], error=error)
                    else:
                        yield Done(futures[future], future.result())
            except BaseException:
                shared.stop.value = True
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        ticks_before = shared.counted()
        if len(waiting) == len(batch):  # all processes were killed before anyone looked at what they do
            waiting, suspects = [], [*suspects, *waiting]


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C comes after this. Processes that begin here never see it, not even while they import.

    The mask is for them, who inherit it. Here it is not enough: another thread may get the signal, and
    Python then interrupts this one in the middle of handing a process its work.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)


def _as_completed(
    futures: Collection[Future[Result]], under_way: set[Future[Result]], look: Callable[[], None]
) -> Iterator[Future[Result]]:
    """Futures as they end; ``under_way`` holds those that have begun, and ``look`` is called now and then."""
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
        look()
        yield from ended
        under_way |= {future for future in pending if future.running()}


def _show_count(shared: Shared, show: Callable[[int], None]) -> None:
    show(shared.counted())
