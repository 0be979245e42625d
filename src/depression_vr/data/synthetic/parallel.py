"""Spread jobs over the cores, with a progress bar that shows rate and time left."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

import cv2
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from depression_vr.errors import UserError

Job = TypeVar("Job")


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:.1f} videos/s" if rate else "")


def run_jobs(
    work: Callable[[Job], int], jobs: Sequence[Job], *, workers: int | None, description: str, total: int
) -> None:
    """Do all jobs, in any order.

    Args:
        work: does one job and returns how many videos it made; a function at the top of a module.
        jobs: what to give it, one each; picklable.
        workers: processes; None for one per core, 1 for this process itself.
        description: stands before the bar.
        total: videos that all jobs make together.

    Raises:
        UserError: ``workers`` is below 1.
    """
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise UserError(f"workers is {workers}, but must be at least 1", fix="leave it out for one per core")
    counted = (BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *counted) as progress:
        bar = progress.add_task(description, total=total)
        made_counts = _in_this_process(work, jobs) if workers == 1 else _in_processes(work, jobs, workers)
        for made in made_counts:
            progress.advance(bar, made)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_this_process(work: Callable[[Job], int], jobs: Sequence[Job]) -> Iterator[int]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for job in jobs:
            yield work(job)
    finally:
        cv2.setNumThreads(threads)


def _in_processes(work: Callable[[Job], int], jobs: Sequence[Job], workers: int) -> Iterator[int]:
    # Spawned, not forked: the caller may hold the threads and locks of torch and of loggers.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_single_threaded) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _single_threaded() -> None:
    cv2.setNumThreads(1)
