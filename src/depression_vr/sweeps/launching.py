"""Trials handed to a launcher of Hydra, several at a time, and stopped."""

import logging
import signal
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path

import psutil
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher
from omegaconf.errors import OmegaConfBaseException

from depression_vr.sweeps.ending import said
from depression_vr.sweeps.standing import Standing, attempts_in, folder_of, process_of, standing_of
from depression_vr.sweeps.trials import Launch
from depression_vr.sweeps.workers import make_known

_SECONDS_BETWEEN_LOOKS = 0.5
_FEWEST_OF_JOBLIB = 2
_QUIET = (  # the terminal has room for the sweep's own progress bar
    "++callbacks.progress=null",
    "++trainer.enable_progress_bar=false",
    "hydra.job_logging.root.handlers=[file]",
)


class Launching:
    """Starts trials by Hydra's launcher: in this process, or a thread for each that waits for its process.

    Args:
        launcher: Hydra's.
        folder: of the sweep.
        n_jobs: trials at a time.

    Attributes:
        is_here: whether trials run in this process.
    """

    def __init__(self, launcher: Launcher, folder: Path, n_jobs: int) -> None:
        self.launcher = launcher
        self.folder = folder
        self.is_here = isinstance(launcher, BasicLauncher)
        if not self.is_here:  # its lines come between those of the trials' progress
            logging.getLogger("hydra_plugins").setLevel(logging.WARNING)
        self._stops = threading.Event()
        # joblib raises what ended a trial, also an exit
        self._survived: type[BaseException] = Exception if self.is_here else BaseException
        make_known(launcher)
        if isinstance(launcher, JoblibLauncher):
            # every trial is a launch of its own, and joblib would run a single job in this process
            launcher.joblib["n_jobs"] = max(_FEWEST_OF_JOBLIB, n_jobs)

    def start(self, number: int, overrides: Sequence[str]) -> Future[Launch]:
        """Start a trial; in this process, it has ended when this returns.

        Args:
            number: of the trial.
            overrides: its settings.

        Raises:
            SystemExit: a trial in this process was asked to stop.
        """
        subdir = f"hydra.sweep.subdir={folder_of(self.folder, number).name}"
        whole = (*overrides, subdir, "resume=auto", *(() if self.is_here else _QUIET))
        future: Future[Launch] = Future()
        if self.is_here:
            future.set_result(self._launched(number, whole))
        else:
            work = threading.Thread(target=self._in_thread, args=(future, number, whole), daemon=True)
            work.start()
        return future

    def _in_thread(self, future: Future[Launch], number: int, overrides: Sequence[str]) -> None:
        # what this thread starts inherits the mask: a terminal's Ctrl-C is for the sweep, which tells its
        # trials, and gives them the time for a checkpoint that submitit would not
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        try:
            future.set_result(self._launched(number, overrides))
        except BaseException as error:
            future.set_exception(error)

    def _launched(self, number: int, overrides: Sequence[str]) -> Launch:
        folder = folder_of(self.folder, number)
        while standing_of(folder) == Standing.ALIVE:  # by a sweep that was killed, which it has outlived
            if self._stops.wait(_SECONDS_BETWEEN_LOOKS):
                return Launch()
        if self._stops.is_set() or standing_of(folder) == Standing.ENDED:
            return Launch()
        before = attempts_in(folder)
        raised = lost = ""
        try:
            (result,) = self.launcher.launch([list(overrides)], initial_job_idx=number)
            if result.status == JobStatus.FAILED:
                raised = said(result._return_value)
        except (HydraException, OmegaConfBaseException) as error:
            raised = said(error)
        except self._survived as error:  # of a pool or a cluster
            lost = said(error)
        return Launch(raised, lost, began=attempts_in(folder) > before)

    def stop(self, under_way: Mapping[Future[Launch], int]) -> None:
        """Ask the trials on this machine to stop, and wait until each has written its checkpoint.

        Those on a cluster go on; the next sweep waits for them.
        """
        self._stops.set()
        if isinstance(self.launcher, SlurmLauncher):
            return
        told: set[int] = set()
        pending = set(under_way)
        try:
            while pending:
                for process in self._processes([under_way[future] for future in pending]):
                    if process.pid not in told:
                        process.terminate()  # a second Ctrl-C would end it without a checkpoint
                        told.add(process.pid)
                pending = wait(pending, _SECONDS_BETWEEN_LOOKS).not_done
        except KeyboardInterrupt:
            for process in self._processes(under_way.values()):
                process.kill()
            raise

    def _processes(self, numbers: Collection[int]) -> list[psutil.Process]:
        found = (process_of(folder_of(self.folder, number)) for number in numbers)
        return [process for process in found if process is not None]
