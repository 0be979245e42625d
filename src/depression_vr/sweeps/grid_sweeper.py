"""Hydra's grids, whose runs all get their turn."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from depression_vr.errors import Problem, UserError
from depression_vr.runs.console import print_runs
from depression_vr.runs.listing import RunSummary, find_runs, summaries
from depression_vr.runs.run import Run
from depression_vr.sweeps.ending import said, told_in_one_message
from depression_vr.sweeps.gpus import refuse_hidden_gpus
from depression_vr.sweeps.workers import make_known


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
        make_known(self.launcher)
        self.launcher = self._patient = _Patient(self.launcher)

    def sweep(self, arguments: list[str]) -> Any:
        """Run all; exits with 2 where the user is to mend something, with 1 after a bug.

        Args:
            arguments: overrides of the command line.
        """
        assert self.config is not None
        folder = Path(self.config.hydra.sweep.dir).absolute()
        began = time.time()
        with told_in_one_message():
            refuse_hidden_gpus(self.config, self._patient.launcher)
            try:
                returns = super().sweep(arguments)
            finally:
                runs = summaries(find_runs([folder]))
                if runs:
                    print_runs(runs, len(runs))
            self._refuse_failures(folder, [run for run in runs if _written_since(began, run.folder)])
        return returns

    def _refuse_failures(self, folder: Path, runs: Sequence[RunSummary]) -> None:
        """Name what has not come to its end; where a launcher was lost, only the records know of it.

        Args:
            folder: of the grid.
            runs: those of this grid: the folder may have others, of grids before.
        """
        failed = self._patient.failed
        problems = [Problem(place, said(error)) for place, error in failed]
        told = {place for place, _ in failed}
        problems += [
            Problem(str(run.folder), run.remark or run.status)
            for run in runs
            if run.status != "finished" and str(run.folder) not in told
        ]
        if not problems and not self._patient.lost:
            return
        lost = f"{self._patient.lost}; " if self._patient.lost else ""
        ended = "have failed" if len(problems) == len(failed) else "have failed or were stopped"
        error = UserError(
            f"{lost}{len(problems)} of {self._patient.count} runs {ended}:",
            where=str(folder),
            problems=problems,
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
        lost: how the launcher itself has ended, such as by a worker that was killed; then some jobs were not
            begun.
        count: of all jobs.
    """

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.failed: list[tuple[str, BaseException]] = []
        self.lost = ""
        self.count = 0

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing: the launcher is set up."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Launch all."""
        self.count += len(job_overrides)
        try:
            returns = self.launcher.launch(job_overrides, initial_job_idx)
        except (HydraException, OmegaConfBaseException):
            raise
        except Exception as error:
            if isinstance(self.launcher, BasicLauncher):
                raise
            self.lost = said(error)
            return []
        for job in returns:
            if job.status == JobStatus.FAILED:
                self.failed.append((_place(job), job._return_value))
                job.status, job.return_value = JobStatus.COMPLETED, None
        return returns


def _written_since(began: float, folder: Path) -> bool:
    run = Run(folder)
    files = (run.record_file, run.config_file)
    return any(file.exists() and file.stat().st_mtime >= began for file in files)


def _place(job: JobReturn) -> str:
    folder = None if job.hydra_cfg is None else OmegaConf.select(job.hydra_cfg, "hydra.runtime.output_dir")
    return str(folder or " ".join(job.overrides or ()))
