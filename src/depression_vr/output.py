"""What is said when the file system refuses what a command writes."""

import errno
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from depression_vr.configs import AUTO
from depression_vr.distributed import last_words
from depression_vr.errors import UserError
from depression_vr.files import NO_ROOM

_ONLY_OF_WRITING = (*NO_ROOM, errno.EROFS, errno.EFBIG)
_FIRST_FILES = 2**16
"""Bytes that a folder has to take before anything is begun: about those of a run's config and record."""

made_folders: list[Path] = []
"""What was made for the output of this command, the innermost first; empty where all was there."""


def refused_write(error: OSError, folder: Path | None) -> UserError | None:
    """The error of a user whose disk is full or whose folder cannot be written; None for any other.

    Args:
        error: met by a command.
        folder: that the command writes to.
    """
    file = Path(error.filename) if isinstance(error.filename, str) else None
    is_ours = file is not None and folder is not None and file.absolute().is_relative_to(folder.absolute())
    if not is_ours and error.errno not in _ONLY_OF_WRITING:
        return None
    mended = "make room" if error.errno in NO_ROOM else "see to it that the folder can be written"
    return UserError(
        f"a file cannot be written: {error.strerror}",
        where=str(file or folder or ""),
        fix=f"{mended}, or write to another disk; files written before are intact",
    )


class LogFile(logging.FileHandler):
    """The log file of a run. What a full disk does not take waits for room, and fills no terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing of a refused write: what follows from it is said by whoever needs the disk."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


class WritableOutput(Callback):
    """Makes the folder of a run or a sweep, in Hydra's place, and ends the command where that cannot be."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Make the run directory, unless it is to be there already."""
        resumed = config.get("resume")
        if resumed not in (None, AUTO) and not Path(str(resumed)).is_dir():
            _end(
                UserError(
                    "there is no such run directory to go on with",
                    where=f"config key resume: {resumed}",
                    fix="give the directory of an interrupted run; `python -m depression_vr.runs` lists all",
                )
            )
        with as_current(config):
            _refuse_to_sweep_in_one_run(config)
            _make(config, "run")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Make the folder of a sweep."""
        _make(config, "sweep")


def _refuse_to_sweep_in_one_run(config: DictConfig) -> None:
    searched = config.hydra.runtime.choices.get("hparams_search")
    if searched is not None:
        _end(
            UserError(
                "a search is many runs",
                where=f"command line: hparams_search={searched}",
                fix="add -m: python -m depression_vr.train -m hparams_search=...",
            )
        )


@contextmanager
def as_current(config: DictConfig) -> Iterator[None]:
    """Make the config the one that ``${hydra:...}`` looks into, as Hydra does when a run begins."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def _make(config: DictConfig, mode: str) -> None:
    try:
        folder = Path(str(config.hydra[mode].dir))
    except OmegaConfBaseException:
        return  # Hydra meets it again, and says so
    made_folders[:] = [each for each in (folder.absolute(), *folder.absolute().parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_FIRST_FILES))
    except OSError as error:
        refused = UserError(
            f"the folder cannot be written: {error.strerror}",
            where=str(folder),
            fix=f"name another one with hydra.{mode}.dir=FOLDER"
            + (", or make room" if error.errno in NO_ROOM else ""),
        )
        _end(refused)


def _end(error: UserError) -> NoReturn:
    if not last_words.leave(str(error)):
        print(f"error: {error}", file=sys.stderr)  # Hydra has not set logging up yet
    sys.exit(2)
