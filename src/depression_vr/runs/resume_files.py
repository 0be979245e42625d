"""The checkpoints that a run goes on from: their names, and which of them is the newest whole one."""

import logging
import re
from pathlib import Path

from depression_vr.errors import Problem, UserError
from depression_vr.files import is_whole_archive

log = logging.getLogger(__name__)

KEY = "resume"
"""Under which a checkpoint holds what is needed to go on."""
_UNFINISHED = re.compile(r"\..+\.\d+")  # as `files.replacing` names them
_NAME = re.compile(r"resume-(\d{9})\.ckpt")


def resume_file(folder: Path, global_step: int) -> Path:
    """The checkpoint after so many optimizer steps."""
    return folder / f"resume-{global_step:09d}.ckpt"


def resume_files(folder: Path) -> list[Path]:
    """All of them, newest first."""
    return sorted((path for path in folder.glob("resume-*.ckpt") if _NAME.fullmatch(path.name)), reverse=True)


def remove_resume_files(folder: Path) -> None:
    """Remove all of them: of a run that has finished."""
    for path in resume_files(folder):
        path.unlink(missing_ok=True)


def remove_half_written(folder: Path) -> None:
    """Remove what a killed process had not yet given its name, in a run directory."""
    for path in folder.rglob(".*"):
        if _UNFINISHED.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def newest_whole(folder: Path) -> Path | None:
    """The newest that is whole; damaged ones are warned of and passed over. None where there is none at all.

    Raises:
        UserError: there are some, and all are damaged.
    """
    damaged: list[Path] = []
    for path in resume_files(folder):
        if is_whole_archive(path):
            for other in damaged:
                log.warning("warning: %s is damaged; %s before it is used", other, path.name)
            return path
        damaged.append(path)
    if damaged:
        raise UserError(
            "the run has no checkpoint to go on from that is whole:",
            where=str(folder),
            problems=[Problem(str(path), "is cut off or altered") for path in damaged],
            fix="restore one of them; or remove them, and the run begins anew",
        )
    return None
