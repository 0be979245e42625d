"""What a run was made with and how it ended, on disk from its first second."""

import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from omegaconf import DictConfig, OmegaConf

from depression_vr.distributed.processes import leads
from depression_vr.errors import StoppedError, UserError
from depression_vr.files import write_json, write_text
from depression_vr.runs import provenance
from depression_vr.runs.overwriting import refuse_to_overwrite
from depression_vr.runs.process import this_process
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)

_ROOM_NAME = ".room"
_ROOM = 2**16
"""Bytes: a record and the last lines of a log."""


class RunRecord:
    """Context manager around a whole run; writes config, code difference and record, in the first process.

    The record's status is ``running``, then ``finished``, ``failed`` (with the error) or ``interrupted``.
    Until then a file keeps room for the last one, on a disk that is full meanwhile. A run that begins is
    refused where it would be written over another.

    Args:
        run: where to write.
        config: of the run; written resolved.
        overrides: of the command line.
        resumes: go on with the record that is there; what the run began with stays in it.
    """

    def __init__(
        self, run: Run, config: DictConfig, overrides: Sequence[str], *, resumes: bool = False
    ) -> None:
        self.run = run
        self.config = config
        self.overrides = list(overrides)
        self.writes = leads(config)
        self._is_new = not resumes
        # a process that was killed in its first moments has left none
        self.resumes = resumes and run.record_file.is_file()
        self.facts: dict[str, Any] = run.record() if self.resumes else {}
        self._room = run.folder / _ROOM_NAME

    def __enter__(self) -> Self:
        if not self.writes:
            return self
        if self._is_new:
            refuse_to_overwrite(self.run)
        code = provenance.code_state()
        write_text(self.run.config_file, OmegaConf.to_yaml(self.config, resolve=True))
        self._room.write_bytes(os.urandom(_ROOM))
        if self.resumes:
            self._resume(code)
        else:
            self._begin(code)
        return self

    def _begin(self, code: provenance.CodeState) -> None:
        write_text(self.run.diff_file, code.diff)
        self.note(
            status="running",
            command=sys.orig_argv,
            overrides=self.overrides,
            started=_now(),
            process=this_process(),
            name=self.config.name,
            network=self.config.network,
            seed=self.config.seed,
            config_digest=self.run.config_digest(),
            git_commit=code.commit,
            git_dirty=bool(code.diff),
            hardware=provenance.hardware(),
            packages=provenance.packages(),
        )

    def _resume(self, code: provenance.CodeState) -> None:
        for key in ("ended", "error", "by"):
            self.facts.pop(key, None)
        packages = provenance.packages()
        changed = {
            name: [self.facts["packages"].get(name), packages.get(name)]
            for name in sorted(self.facts["packages"].keys() | packages.keys())
            if self.facts["packages"].get(name) != packages.get(name)
        }
        now = {
            "started": _now(),
            "command": sys.orig_argv,
            "overrides": self.overrides,
            "git_commit": code.commit,
            "git_dirty": bool(code.diff),
            "changed_packages": changed,
            "hardware": provenance.hardware(),
        }
        began_with = self.run.diff_file.read_text(encoding="utf-8") if self.run.diff_file.exists() else ""
        if changed or code != provenance.CodeState(self.facts["git_commit"], began_with):
            log.warning(
                "warning: code or packages are not those that the run began with: see `resumes` in the record"
            )
        self.note(
            status="running",
            process=this_process(),
            config_digest=self.run.config_digest(),
            resumes=[*self.facts.get("resumes", []), now],
        )

    def refuse_other_facts(self, key: str, value: str, what: str) -> None:
        """Refuse to go on with another corpus than the run began with.

        Args:
            key: of the record, with dots; what is not recorded is not compared.
            value: of now.
            what: it stands for.

        Raises:
            UserError: the values differ.
        """
        recorded: Any = self.facts if self.resumes else {}
        for part in key.split("."):
            recorded = recorded.get(part, {})
        if recorded and recorded != value:
            raise UserError(
                f"the {what} of the corpus are not those that the run began with",
                where=str(self.run.folder),
                fix="restore the corpus, or begin a run of its own; `python -m depression_vr.reproduce "
                f"run='{self.run.folder}' check_only=true` lists what differs",
            )

    def note(self, **facts: Any) -> None:
        """Add facts, or replace those of the same name, and write the record."""
        self.facts |= facts
        if self.writes:
            write_json(self.run.record_file, self.facts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._end(status="finished")
            return
        try:
            self._note_end(error)
        except OSError as refusal:  # the error that ended the run is the one to tell
            log.warning("warning: the record does not say how the run ended: %s", refusal)

    def _note_end(self, error: BaseException) -> None:
        if isinstance(error, StoppedError):
            self._end(status="interrupted", by=error.by)
        elif isinstance(error, Exception):
            self._end(status="failed", error=f"{type(error).__name__}: {error}")
        else:  # KeyboardInterrupt, and the SystemExit that Lightning makes of it
            self._end(status="interrupted")

    def _end(self, **facts: Any) -> None:
        if self.writes:
            self._room.unlink(missing_ok=True)
        self.note(**facts, ended=_now())


def note_failure(run: Run, error: Exception) -> None:
    """Write into the record of a run that cannot do so itself any more that it has failed."""
    (run.folder / _ROOM_NAME).unlink(missing_ok=True)
    failed = {"status": "failed", "error": f"{type(error).__name__}: {error}", "ended": _now()}
    write_json(run.record_file, run.record() | failed)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
