"""The folder of a sweep, in which one command works at a time."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from depression_vr.errors import UserError

_SECONDS_TO_END = 15.0
"""In which the reading processes of a sweep that was killed notice it, which have inherited its lock."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder.

    Raises:
        UserError: another one is under way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".sweep.lock").open("a") as file:
        patient_until = time.monotonic() + _SECONDS_TO_END
        while not _locks(file.fileno()):
            if time.monotonic() > patient_until:
                raise UserError(
                    "another sweep is under way in this folder",
                    where=str(folder),
                    fix="wait for it or stop it; or begin another study: hydra.sweeper.study_name=NAME",
                )
            time.sleep(0.5)
        yield


def _locks(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
