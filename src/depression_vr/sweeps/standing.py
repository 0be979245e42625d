"""How the trial in a run directory stands, by what the directory says of it."""

import os
import platform
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import psutil

from depression_vr.runs.listing import summary_of
from depression_vr.runs.run import Run

_SECONDS_OF_SILENCE = 1800.0
"""After which a run on another machine counts as killed. It writes a checkpoint every 10 minutes."""


class Standing(Enum):
    """Of a trial's run directory, when nobody is known to work on it or to wait for it."""

    ABSENT = "not begun"
    ALIVE = "under way"
    ENDED = "finished or failed"
    INTERRUPTED = "asked to stop, goes on"
    KILLED = "killed, goes on"


def folder_of(sweep: Path, number: int) -> Path:
    """The run directory of a trial."""
    return sweep / f"trial_{number:03d}"


def standing_of(folder: Path) -> Standing:
    """How the trial in a run directory stands."""
    if not Run(folder).record_file.is_file():
        return Standing.ABSENT
    status = summary_of(folder).status
    if status == "interrupted":
        return Standing.INTERRUPTED
    if status == "killed" or (status == "running" and (_is_this_process(folder) or _is_silent(folder))):
        return Standing.KILLED
    return Standing.ALIVE if status == "running" else Standing.ENDED


def _is_this_process(folder: Path) -> bool:
    process = Run(folder).record().get("process") or {}
    return (process.get("host"), process.get("pid")) == (platform.node(), os.getpid())


def attempts_in(folder: Path) -> int:
    """How many times the trial in a run directory has begun or gone on."""
    if not Run(folder).record_file.is_file() or summary_of(folder).status == "damaged":
        return 0
    return 1 + len(Run(folder).record().get("resumes", []))


def _is_silent(folder: Path) -> bool:
    """Whether a run of another machine, of whose process nothing is known, has written nothing for long."""
    process = Run(folder).record().get("process") or {}
    if process.get("host") == platform.node():
        return False
    newest = max(path.stat().st_mtime for path in _files(folder))
    return time.time() - newest > _SECONDS_OF_SILENCE


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def process_of(folder: Path) -> psutil.Process | None:
    """The living process of this machine, other than this one, that trains in a run directory."""
    if not Run(folder).record_file.is_file() or summary_of(folder).status != "running":
        return None
    process = Run(folder).record().get("process") or {}
    if process.get("host") != platform.node() or process["pid"] == os.getpid():
        return None
    try:
        return psutil.Process(process["pid"])
    except psutil.NoSuchProcess:
        return None
