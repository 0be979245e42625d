"""The process that a run is, so that others can see whether it still lives."""

import os
import platform
from collections.abc import Mapping
from typing import Any

import psutil

_CLOCK_STEPS = 60.0  # seconds by which a start time may seem to change: it is reckoned from the clock


def this_process() -> dict[str, Any]:
    """Host, id and start time of this process, for a record."""
    return {"host": platform.node(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def is_dead(process: Mapping[str, Any]) -> bool:
    """Whether a recorded process is known to be gone. Of another host's process nothing is known."""
    if process["host"] != platform.node():
        return False
    try:
        found = psutil.Process(process["pid"])
        ended = found.status() == psutil.STATUS_ZOMBIE
        return ended or abs(found.create_time() - process["started"]) > _CLOCK_STEPS
    except psutil.NoSuchProcess:
        return True
