"""Hydra's grids, whose runs all get their turn."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from depression_vr.errors import Problem, UserError
from depression_vr.runs.console import print_runs
from depression_vr.runs.listing import find_runs, summaries
from depression_vr.sweeps.ending import told_in_one_message


class GridSweeper(BasicSweeper):
    """Runs every combination, lists the runs, and names those that have failed when all have had their turn.

    Args:
        max_batch_size: combinations that a launcher is given at a time; None for all.
        params: swept keys, beside those of the command line.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives every sweeper."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        assert self.launcher is not None
        self.launcher = self._patient = _Patient(self.launcher)

    def sweep(self, arguments: list[str]) -> Any:
        """Run all; exits with 2 where the user is to mend something, with 1 after a bug.

        Args:
            arguments: overrides of the command line.
        """
        assert self.config is not None
        folder = Path(self.config.hydra.sweep.dir)
        with told_in_one_message():
            try:
                returns = super().sweep(arguments)
            finally:
                runs = summaries(find_runs([folder]))
                if runs:
                    print_runs(runs, len(runs))
            self._refuse_failures(folder)
        return returns

    def _refuse_failures(self, folder: Path) -> None:
        failed = self._patient.failed
        if not failed:
            return
        error = UserError(
            f"{len(failed)} of {self._patient.count} runs have failed:",
            where=str(folder),
            problems=[Problem(place, _first_line(error)) for place, error in failed],
            fix=f"mend the cause and give the same command again{self._finished_ones_kept(folder)}",
        )
        if all(isinstance(each, UserError) for _, each in failed):
            raise error
        print(f"error: {error}\n  the logs of the runs have the tracebacks", file=sys.stderr)
        sys.exit(1)

    def _finished_ones_kept(self, folder: Path) -> str:
        assert self.config is not None
        if "resume" not in self.config:
            return ""
        return f" with hydra.sweep.dir='{folder}' resume=auto, which leaves finished runs as they are"


class _Patient(Launcher):
    """Hands jobs to a launcher and keeps their errors from Hydra's sweeper, which ends at the first.

    Args:
        launcher: that does the work.

    Attributes:
        failed: run directory, or overrides where it has none, and error.
        count: of all jobs.
    """

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.failed: list[tuple[str, BaseException]] = []
        self.count = 0

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing: the launcher is set up."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Launch all."""
        returns = self.launcher.launch(job_overrides, initial_job_idx)
        self.count += len(returns)
        for job in returns:
            if job.status == JobStatus.FAILED:
                self.failed.append((_place(job), job._return_value))
                job.status, job.return_value = JobStatus.COMPLETED, None
        return returns


def _place(job: JobReturn) -> str:
    folder = None if job.hydra_cfg is None else OmegaConf.select(job.hydra_cfg, "hydra.runtime.output_dir")
    return str(folder or " ".join(job.overrides or ()))


def _first_line(error: BaseException) -> str:
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return kind + str(error).partition("\n")[0]
