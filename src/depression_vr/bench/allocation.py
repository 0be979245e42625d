"""How much memory work holds at once."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from depression_vr.bench.rows import Measure

_MEBIBYTE = 2**20


def peak(what: str, work: Callable[[], object], folder: Path) -> Measure:
    """The most that PyTorch holds at once of what the work allocates, MiB, measured once.

    A process grows by something else: by scratch memory of libraries too, and by what is free and kept.

    Args:
        what: the work, in a few words.
        work: does it.
        folder: for a file of some megabytes.
    """
    said = f"peak of what PyTorch allocates (its profiler), not of the process, in {what}"
    return Measure(said, "MiB", partial(peak_allocation, work, folder), repeated=False)


def peak_allocation(work: Callable[[], object], folder: Path) -> float:
    """The most that is held at once of what the work allocates, MiB; what was there before does not count.

    Scratch memory that oneDNN takes for itself is not seen.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler warns that it finds no GPU
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    trace = folder / "trace.json"
    profiler.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text())["traceEvents"]
    held = highest = 0
    for event in sorted((e for e in events if e["name"] == "[memory]"), key=lambda event: event["ts"]):
        held += event["args"]["Bytes"]
        highest = max(highest, held)
    return highest / _MEBIBYTE
