"""A training as a process: its log, its folder, and how it ends."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from depression_vr.experiments.measuring import FailedError
from depression_vr.runs.run import Run

_SECONDS_TO_END = 10.0  # for a training that was told to
_LINES_SHOWN = 8


@contextmanager
def locked_log(log: Path) -> Iterator[TextIO]:
    """The log. Its lock is the training's too: it holds while either process lives."""
    with log.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FailedError(f"another process is training it, log {log}") from error
        yield file


def clear(folder: Path) -> None:
    """Remove a run that did not come to a checkpoint, or one with other settings."""
    if not folder.exists() and not folder.is_symlink():
        return
    ours = (folder / ".hydra").is_dir() or Run(folder).record_file.is_file()
    if folder.is_symlink() or not folder.is_dir() or (not ours and any(folder.iterdir())):
        raise FailedError(f"{folder} is in the way and no run directory: move it, or use another `out`")
    shutil.rmtree(folder)


@contextmanager
def training_process(
    command: Sequence[str], log: TextIO, threads: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is ended with the block, and that computes in so many threads.

    In a session of its own, so that Ctrl-C reaches it through us, once and with its workers.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    ) as process:
        try:
            yield process
        except BaseException:
            try:
                process.send_signal(signal.SIGINT)
                wait(process, _SECONDS_TO_END)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            raise


def wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait until it ends, or so long."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def last_lines(log: Path) -> str:
    """The end of a log, without empty lines."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in [line for line in lines if line.strip()][-_LINES_SHOWN:])
