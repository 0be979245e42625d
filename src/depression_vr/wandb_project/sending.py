"""One run's files on their way to W&B, by its own command ``wandb sync``."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from depression_vr.loggers.wandb_privacy import SYNC_ENVIRONMENT
from depression_vr.loggers.wandb_reach import server_responds
from depression_vr.wandb_project.unsent import Unsent

_ADDRESS = re.compile(r"View run at (\S+)")
_SAID = re.compile(r"^(?:wandb: ERROR|Error:) *(.*\S)")
# what W&B finds out about its server, itself and the machine; no row or file of the run depends on it
_ABOUT_NO_FILE = ("featurechecker:", "analytics", "observability:", "monitor:")
# W&B by itself tries for a week. A request that fails at once is tried again for about a minute
_PATIENCE = {
    "WANDB_INIT_TIMEOUT": "20",
    "WANDB__GRAPHQL_TIMEOUT_SECONDS": "15",
    "WANDB__FILE_STREAM_TIMEOUT_SECONDS": "60",
    "WANDB__FILE_TRANSFER_TIMEOUT_SECONDS": "600",
    **{
        f"WANDB__{kind}_RETRY_{setting}": value
        for kind in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
        for setting, value in (("MAX", "6"), ("WAIT_MIN_SECONDS", "1"), ("WAIT_MAX_SECONDS", "20"))
    },
}
_ASKED_EVERY_SECONDS = 20.0


class NotSentError(Exception):
    """W&B has not got everything; says why in W&B's words."""


class NoAnswerError(NotSentError):
    """W&B's server takes connections at most; it would not answer for other runs either."""


def send(unsent: Unsent, *, project: str | None, entity: str | None) -> str:
    """Send the files of one run.

    Sent again, they take the place of what W&B has of the same run.

    Args:
        unsent: the files.
        project: instead of the project that the run was logged to.
        entity: instead of the user's own, or the one that the run was logged to.

    Returns:
        The address of the W&B run.

    Raises:
        NotSentError: something has not arrived; the same files can be sent again.
        NoAnswerError: nor is there an answer any more.
    """
    try:
        output, problems = _sync(_command(unsent, project, entity), unsent.run / "wandb")
        cut_off = [problem for problem in problems if _is_cut_off(problem)]
        others = [problem for problem in problems if problem not in cut_off]
        is_marked = all(files.marker.exists() for files in unsent.files)
        if others or not (cut_off or is_marked):
            raise NotSentError(others[0] if others else "wandb sync does not say why")
    except BaseException:
        # W&B marks files as sent of which a part has not arrived
        for files in unsent.files:
            files.marker.unlink(missing_ok=True)
        raise
    for files in unsent.files:  # what was cut off does not come again
        files.marker.touch()
    address = _ADDRESS.search(output)
    return address[1] if address else ""


def _is_cut_off(problem: str) -> bool:
    """Whether it is about the last row of a process that was killed in the middle of writing it."""
    return "incomplete transaction log" in problem or "ends with an incomplete record" in problem


def _sync(command: list[str], folder: Path) -> tuple[str, list[str]]:
    """What it printed, and what went wrong. Its exit code says nothing: it is 0 after most errors.

    The folder is where files of artifacts are found from.
    """
    with TemporaryDirectory() as own:  # W&B's log goes there
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=_environment() | {"WANDB_DIR": own},
        )
        with process:
            try:
                output = _output(process)
            except BaseException:
                process.kill()
                raise
        return output, [*_said(output), *_logged(Path(own))]


def _output(process: subprocess.Popen[str]) -> str:
    """What it has printed when it has ended. That may take long, for as long as the server answers."""
    while True:
        try:
            return process.communicate(timeout=_ASKED_EVERY_SECONDS)[0]
        except subprocess.TimeoutExpired:
            if not server_responds():
                raise NoAnswerError("its server does not answer any more") from None


def _environment() -> dict[str, str]:
    """Ours, without the process that W&B's library has begun here, which would do the work elsewhere."""
    ours = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    return _PATIENCE | ours | SYNC_ENVIRONMENT


def _command(unsent: Unsent, project: str | None, entity: str | None) -> list[str]:
    into = [f"--{name}={value}" for name, value in (("project", project), ("entity", entity)) if value]
    folders = [files.folder.name for files in unsent.files]
    return [sys.executable, "-m", "wandb", "sync", "--include-online", *into, *folders]


def _said(output: str) -> Iterator[str]:
    """What was said to be wrong on the terminal."""
    for line in output.splitlines():
        said = _SAID.match(line)
        if said is not None:
            yield said[1]


def _logged(folder: Path) -> Iterator[str]:
    """What was said to be wrong in the log alone, such as a file that was not taken."""
    for file in sorted(folder.rglob("debug-sync*.log")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if not isinstance(entry, dict) or entry.get("level") != "ERROR":
                continue
            said = str(entry.get("msg")).partition("\n")[0]
            if not said.startswith(_ABOUT_NO_FILE):
                yield said
