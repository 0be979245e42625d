"""Processes that read frames, and signals that are meant for the training they read for."""

import multiprocessing
import os
import signal
import threading

_TO_THE_PARENT_ALONE = ("SIGINT", "SIGUSR1", "SIGUSR2")


def leave_signals_to_parent(worker: int) -> None:
    """Let this process outlive the signals that ask a training to stop: it reads on until that has stopped.

    A terminal sends Ctrl-C, and a cluster its warnings, to all processes. What the parent itself terminates,
    it means.

    Args:
        worker: its number, as a loader gives it.
    """
    for name in _TO_THE_PARENT_ALONE:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None and hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_when_parent_says, args=(parent.pid,), daemon=True).start()


def _end_when_parent_says(parent: int | None) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        continue
    os._exit(0)
