"""What a run was made with and how it ended, on disk from its first second."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from omegaconf import DictConfig, OmegaConf

from depression_vr.files import write_json, write_text
from depression_vr.runs import provenance
from depression_vr.runs.run import Run


class RunRecord:
    """Context manager around a whole run; writes config, code difference and record.

    The record's status is ``running``, then ``finished``, ``failed`` (with the error) or ``interrupted``.

    Args:
        run: where to write.
        config: of the run; written resolved.
        overrides: of the command line.
    """

    def __init__(self, run: Run, config: DictConfig, overrides: Sequence[str]) -> None:
        self.run = run
        self.config = config
        self.overrides = list(overrides)
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        code = provenance.code_state()
        write_text(self.run.config_file, OmegaConf.to_yaml(self.config, resolve=True))
        write_text(self.run.diff_file, code.diff)
        self.note(
            status="running",
            command=sys.orig_argv,
            overrides=self.overrides,
            started=_now(),
            seed=self.config.seed,
            git_commit=code.commit,
            git_dirty=bool(code.diff),
            hardware=provenance.hardware(),
            packages=provenance.packages(),
        )
        return self

    def note(self, **facts: Any) -> None:
        """Add facts, or replace those of the same name, and write the record."""
        self.facts |= facts
        write_json(self.run.record_file, self.facts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.note(status="finished", ended=_now())
        elif isinstance(error, Exception):
            self.note(status="failed", error=f"{type(error).__name__}: {error}", ended=_now())
        else:  # KeyboardInterrupt, and the SystemExit that Lightning makes of it
            self.note(status="interrupted", ended=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
