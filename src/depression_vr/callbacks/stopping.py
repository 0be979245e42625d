"""Being asked to stop: Ctrl-C, a termination, a cluster's warning before it takes the machine away."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from depression_vr.errors import INTERRUPTED, REQUEUE, StoppedError

_STDERR = 2
CLUSTER_WARNINGS = ("SIGUSR1", "SIGUSR2")
"""What SLURM's ``--signal`` usually sends before it takes a machine away."""
_WANTED = ("SIGINT", "SIGTERM", *CLUSTER_WARNINGS)


class StopSignals:
    """Notes the first signal that asks to stop; a second Ctrl-C stops at once.

    Attributes:
        received: name of the signal, or nothing.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._before: dict[int, Any] = {}
        self._says_so = True

    def listen(self, *, says_so: bool) -> None:
        """Take the signals from whoever handles them; only a main thread can.

        Args:
            says_so: tell the user what follows from a signal, on stderr.
        """
        self._says_so = says_so
        if threading.current_thread() is not threading.main_thread():
            return
        for name in _WANTED:
            if hasattr(signal, name):
                number = getattr(signal, name)
                self._before[number] = signal.signal(number, self._note)

    def leave(self) -> None:
        """Give the signals back; again is harmless."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.received is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.received = name
        if not self._says_so:
            return
        again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
        said = f"\n{name}: the run stops after this step{again}\n"
        os.write(_STDERR, said.encode())  # a logger may be in the middle of a line

    def error(self) -> StoppedError:
        """What ends the training, once there is a checkpoint to go on from."""
        return _stopped_by(self.received or "another process")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let the signals that ask to stop end this block at once: what loads and evaluates needs no checkpoint.

    Raises:
        StoppedError: one came.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for each in numbers:  # what this one ends is cleaned up in peace
            signal.signal(each, signal.SIG_IGN)
        raise _stopped_by(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _WANTED if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupts() -> Iterator[None]:
    """A hang-up or a request to terminate is handled as Ctrl-C is, so that no training stays behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopped_by(name: str) -> StoppedError:
    return StoppedError(name, INTERRUPTED if name == "SIGINT" else REQUEUE)
