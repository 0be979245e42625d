"""The processes of one machine: none outlives the others, and the first speaks for all."""

import atexit
import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch.distributed as dist

from depression_vr.distributed import last_words
from depression_vr.errors import ProcessEndedError, UserError
from depression_vr.runs.record import note_failure
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)

_PARENT_VARIABLE = "DEPRESSION_VR_PARENT"
_SECONDS_BETWEEN_LOOKS = 0.2
_PATIENCE = 10.0
"""Seconds in which a process notices by itself that another has ended, which over NCCL it does not."""


class Siblings:
    """The processes that the first one of a machine has started.

    Args:
        run: whose record says that it failed when the first process can no longer.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._started: Sequence[subprocess.Popen[bytes]] = ()
        self._first_rank = 0
        self._folder = Path()
        self._meets = False
        self._ends = threading.Event()

    @contextmanager
    def environment(self) -> Iterator[None]:
        """What processes that are started meanwhile find in their environment."""
        self._folder = Path(tempfile.mkdtemp(prefix="depression_vr_"))
        atexit.register(self._leave_none)
        ours = {last_words.FOLDER_VARIABLE: str(self._folder), _PARENT_VARIABLE: str(os.getpid())}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name in ours:
                del os.environ[name]

    def watch(self, started: Sequence[subprocess.Popen[bytes]], first_rank: int) -> None:
        """Watch processes until they end.

        Args:
            started: in the order of their ranks.
            first_rank: of the process that has started them.
        """
        self._started = started
        self._first_rank = first_rank
        threading.Thread(target=self._watch, daemon=True, name="siblings").start()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Around what the processes do together.

        Raises:
            UserError: another process has failed, and this one has only lost its connection; or the
                `ProcessEndedError` of one that has said nothing.
        """
        self._meets = True
        try:
            yield
        except BaseException as error:
            self._ends.set()
            cause = self._cause() if is_lost_connection(error) else None
            self._kill()
            if cause is None:
                raise
            raise cause from error
        finally:
            self._meets = False

    def _cause(self) -> Exception | None:
        """Why another process has failed; None where that cannot be known here."""
        if last_words.wanted():
            time.sleep(2 * _PATIENCE)  # the first process knows, says it, and ends this one meanwhile
        patient_until = time.monotonic() + _PATIENCE
        while self._started and time.monotonic() < patient_until:
            failure = self._failure()
            if failure is not None:
                return failure
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return None

    def _failure(self) -> Exception | None:
        for place, process in enumerate(self._started):
            code = process.poll()
            if code:
                rank = self._first_rank + 1 + place
                message = last_words.left(self._folder, process.pid)
                if message is not None:
                    return UserError(f"on rank {rank}: {message}")
                if code < 0:
                    return ProcessEndedError(f"rank {rank} was killed (signal {-code}); is memory short?")
                return ProcessEndedError(f"rank {rank} ended with exit code {code}")
        return None

    def _watch(self) -> None:
        """End this process when it waits in vain for one that has failed."""
        waits = 0.0
        while any(process.poll() != 0 for process in self._started):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            if self._ends.is_set():
                return
            failure = self._failure()
            waits = waits + _SECONDS_BETWEEN_LOOKS if failure and self._meets else 0.0
            if failure and waits > _PATIENCE:
                self._end_for(failure)

    def _end_for(self, failure: Exception) -> None:
        self._kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        log.error("error: %s", failure)
        try:
            if self._first_rank == 0:
                note_failure(self._run, failure)
        finally:
            os._exit(2 if isinstance(failure, UserError) else 1)

    def _kill(self) -> None:
        for process in self._started:
            process.kill()

    def _leave_none(self) -> None:
        patient_until = time.monotonic() + _PATIENCE
        for process in self._started:
            try:
                process.wait(max(patient_until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def is_lost_connection(error: BaseException) -> bool:
    """Whether an error only says that another process cannot be reached."""
    over_gloo = isinstance(error, RuntimeError) and "gloo/" in str(error)
    return over_gloo or isinstance(error, dist.DistError)


def follow_parent() -> None:
    """End this process when the one that has started it is gone, such as killed."""
    parent = os.environ.pop(_PARENT_VARIABLE, None)
    if parent is None:
        return

    def follow() -> None:
        while os.getppid() == int(parent):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        last_words.forget()
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="parent").start()
