"""What an earlier process has left in a run directory, to go on with."""

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from depression_vr.errors import StoppedError, UserError
from depression_vr.output import refused_write
from depression_vr.runs.process import is_dead
from depression_vr.runs.record import RunRecord
from depression_vr.runs.resume_files import newest_whole, resume_files
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)


@contextmanager
def way_on_told(run: Run, record: RunRecord) -> Iterator[None]:
    """Let errors say from which checkpoint the run goes on, where it has one."""
    try:
        yield
    except StoppedError as stopped:
        stopped.checkpoint = next((file.name for file in resume_files(run.checkpoints)), None)
        raise
    except (UserError, OSError) as error:
        told = error if isinstance(error, UserError) else refused_write(error, run.folder)
        if told is None:
            raise
        left = resume_files(run.checkpoints)
        if left and record.writes:
            told.go_on = f"resume='{run.folder}', from {left[0].name}"
        if told is error:
            raise
        raise told from error


def refuse_a_live_run(run: Run) -> None:
    """Refuse to write to a run directory that another process of this machine is writing to."""
    record = run.record() if run.record_file.is_file() else {}
    process = record.get("process")
    if record.get("status") != "running" or process is None or process["host"] != platform.node():
        return
    if process["pid"] != os.getpid() and not is_dead(process):
        raise UserError(
            f"the run is under way, in process {process['pid']}",
            where=str(run.folder),
            fix="wait for it, or end it first",
        )


def checkpoint_to_go_on_from(run: Run) -> Path | None:
    """The newest that is whole; None where the run was stopped before its first, and begins anew."""
    checkpoint = newest_whole(run.checkpoints)
    if checkpoint is None:
        log.info("the run was stopped before its first checkpoint, and begins anew")
    else:
        log.info("going on from %s", checkpoint.name)
    return checkpoint
