"""What W&B has written into run directories and has not sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from depression_vr.runs.listing import summary_of

_OFFLINE = "offline-"


@dataclass(frozen=True)
class WandbFiles:
    """What one process of a run has written.

    Attributes:
        log: ``RUN_DIR/wandb/[offline-]run-TIME-ID/run-ID.wandb``, which other files lie beside.
    """

    log: Path

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.log.parent

    @property
    def is_offline(self) -> bool:
        """Whether the process itself has sent nothing."""
        return self.folder.name.startswith(_OFFLINE)

    @property
    def marker(self) -> Path:
        """The file that ``wandb sync`` leaves where it has sent the others."""
        return self.log.with_suffix(".wandb.synced")


@dataclass(frozen=True)
class Unsent:
    """A run directory with files for W&B.

    Attributes:
        run: the run directory.
        files: what is to be sent, the oldest first. A run that was resumed can have several, of one W&B run.
    """

    run: Path
    files: tuple[WandbFiles, ...]


@dataclass(frozen=True)
class Found:
    """What there is to do below some folders.

    Attributes:
        unsent: the runs with files to be sent.
        running: run directories with files that are still being written.
        online: run directories with files of a process that was online and has sent them itself, unless its
            server went away.
        sent: how many run directories have been sent before.
    """

    unsent: list[Unsent]
    running: list[Path]
    online: list[Path]
    sent: int


def find_unsent(runs: Iterable[Path], *, online: bool) -> Found:
    """What W&B has not sent.

    Args:
        runs: run directories.
        online: files of processes that were online count as unsent too, until ``wandb sync`` has sent them.
    """
    found = Found([], [], [], 0)
    sent = 0
    for run in runs:
        files = _files_of(run)
        waiting = [one for one in files if not one.marker.exists()]
        wanted = tuple(one for one in waiting if one.is_offline or online)
        if waiting and summary_of(run).status == "running":
            found.running.append(run)
        elif wanted:
            found.unsent.append(Unsent(run, wanted))
        elif waiting:
            found.online.append(run)
        elif files:
            sent += 1
    return Found(found.unsent, found.running, found.online, sent)


def _files_of(run: Path) -> list[WandbFiles]:
    logs = (run / "wandb").glob("*run-*/run-*.wandb")
    return sorted(map(WandbFiles, logs), key=lambda files: files.folder.name.removeprefix(_OFFLINE))
