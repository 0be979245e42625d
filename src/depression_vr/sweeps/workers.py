"""Worker processes of joblib, which would stay for ever where their sweep was killed."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.plugins.launcher import Launcher
from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher

_SWEEP = "DEPRESSION_VR_SWEEP"
"""Environment variable: the sweep's process."""
_SECONDS_BETWEEN_LOOKS = 1.0
_at_work = threading.Lock()
_watched = threading.Event()


def make_known(launcher: Launcher) -> None:
    """Let the workers that a launcher is going to start know the process of their sweep."""
    if isinstance(launcher, JoblibLauncher):
        os.environ[_SWEEP] = str(os.getpid())


@contextmanager
def ends_with_its_sweep() -> Iterator[None]:
    """Around a run: once it has ended, so does its process, if the sweep that started it was killed."""
    sweep = os.environ.get(_SWEEP)
    if sweep is None or int(sweep) == os.getpid():
        yield
        return
    if not _watched.is_set():
        _watched.set()
        threading.Thread(target=_end_with, args=(int(sweep),), daemon=True).start()
    with _at_work:
        yield


def _end_with(sweep: int) -> None:
    while os.getppid() == sweep:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    with _at_work:
        os._exit(1)  # an idle worker waits for a task, and hears of nothing else
