"""The processes that do jobs: how each of them begins, counts what it does, and ends."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from ctypes import c_byte
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from multiprocessing.sharedctypes import Synchronized
from typing import TypeVar

import cv2

Job = TypeVar("Job")
Result = TypeVar("Result")


class Stopped(BaseException):
    """The work was interrupted. Like KeyboardInterrupt, it is no error that a job could handle."""


@dataclass(frozen=True)
class Shared:
    """What the process that spreads jobs and those that do them have in common.

    Attributes:
        ticks: of all jobs.
        stop: is not 0 when the work is to end.
        threads: that each process may take.
    """

    ticks: "Synchronized[int]"
    stop: c_byte
    threads: int

    def counted(self) -> int:
        """The ticks so far, read without the lock that a killed process may hold."""
        count: int = self.ticks.get_obj().value
        return count


_of_worker: list[Shared] = []  # set once, as such objects can be handed over only when a process begins


def begin_worker(shared: Shared) -> None:
    """Set up this process, and end it when its parent has ended."""
    _of_worker[:] = [shared]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us as a stop from the parent
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = str(shared.threads)  # for torch, where it is imported later
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(shared.threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def do_job(work: Callable[[Job, Callable[[], None]], Result], job: Job) -> Result:
    """Do a job in this process.

    Raises:
        Exception: what it raised, or one that reads the same.
        Stopped: the work is to end.
    """
    _end_if_stopped()
    try:
        return work(job, _tick)
    except Exception as error:
        raise _portable(error) from error


def _portable(error: Exception) -> Exception:
    """The error, or one that reads the same where it cannot be pickled: that would end all processes."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _tick() -> None:
    _end_if_stopped()
    shared = _of_worker[0]
    with shared.ticks.get_lock():
        shared.ticks.value += 1


def _end_if_stopped() -> None:
    if _of_worker[0].stop.value:
        raise Stopped
