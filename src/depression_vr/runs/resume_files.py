"""The checkpoints that a run goes on from: their names, and which of them is the newest whole one."""

import logging
import os
import re
import shutil
from pathlib import Path

from depression_vr.errors import Problem, UserError
from depression_vr.files import is_whole_archive, replacing

log = logging.getLogger(__name__)

KEY = "resume"
"""Under which a checkpoint holds what is needed to go on."""
_NAME = re.compile(r"resume-(\d{9})\.ckpt")
_BEST = "best.ckpt"


def resume_file(folder: Path, global_step: int) -> Path:
    """The checkpoint after so many optimizer steps."""
    return folder / f"resume-{global_step:09d}.ckpt"


def resume_files(folder: Path) -> list[Path]:
    """All of them, newest first."""
    return sorted((path for path in folder.glob("resume-*.ckpt") if _NAME.fullmatch(path.name)), reverse=True)


def remove_resume_files(folder: Path, keep: int = 0) -> None:
    """Remove them but for the newest; all of them when a run has finished."""
    files = resume_files(folder)
    best_of_kept = [_best_at(path) for path in files[:keep]]
    # what was to be written next may never have been
    alone = [path for path in folder.glob(f"resume-*-{_BEST}") if path not in best_of_kept]
    for path in [*files[keep:], *alone]:
        path.unlink(missing_ok=True)


def keep_best(resume_file: Path) -> None:
    """Keep the best checkpoint as it is, for a run that goes on from a checkpoint that is written next."""
    best = resume_file.with_name(_BEST)
    if best.is_file():
        _name_also(_best_at(resume_file), best)


def put_back_best(resume_file: Path) -> None:
    """Let the best checkpoint be that of the moment when a checkpoint was written.

    What was better since then comes again, on a GPU perhaps no longer as the best: a file of it would be one
    that no logged metric is of. Where there was none at that moment, a later one stays until the first score.
    """
    kept = _best_at(resume_file)
    if kept.is_file():
        _name_also(resume_file.with_name(_BEST), kept)


def _best_at(resume_file: Path) -> Path:
    return resume_file.with_name(f"{resume_file.stem}-{_BEST}")


def _name_also(name: Path, file: Path) -> None:
    temporary = name.with_name(f".{name.name}.{os.getpid()}")  # as `replacing` names them
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(file)
    except OSError:  # of a file system without such links
        with file.open("rb") as content, replacing(name) as copy:
            shutil.copyfileobj(content, copy)
    else:
        temporary.replace(name)
        temporary.unlink(missing_ok=True)  # left where both names were the file's already


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
