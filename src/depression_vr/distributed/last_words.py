"""How a process that the first one has started tells it what the user did wrong.

All have composed the same config and meet much the same errors, so the first one speaks for all.
"""

import os
import shutil
from pathlib import Path

FOLDER_VARIABLE = "DEPRESSION_VR_LAST_WORDS"
"""Environment variable of a started process: the folder for what it has to say."""


def wanted() -> bool:
    """Whether another process has started this one, and reads what it leaves."""
    return FOLDER_VARIABLE in os.environ


def leave(message: str) -> bool:
    """Leave a message to the process that has started this one; False where none has, or cannot get it."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return False
    try:
        _file(Path(folder), os.getpid()).write_text(message, encoding="utf-8")
    except OSError:
        return False
    return True


def left(folder: Path, pid: int) -> str | None:
    """What a process has left."""
    try:
        return _file(folder, pid).read_text(encoding="utf-8")
    except OSError:
        return None


def forget() -> None:
    """Remove the folder, when the process that has started this one can no longer."""
    shutil.rmtree(os.environ[FOLDER_VARIABLE], ignore_errors=True)


def _file(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.txt"
