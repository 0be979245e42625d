"""A sweep: trials of a study, proposed by Optuna and trained by a launcher of Hydra."""

from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig
from optuna.trial import Trial, TrialState

from depression_vr.errors import UserError
from depression_vr.experiments.processes import interrupts
from depression_vr.sweeps.display import Display, first_line
from depression_vr.sweeps.ending import told_in_one_message
from depression_vr.sweeps.folder import locked
from depression_vr.sweeps.launching import Launching
from depression_vr.sweeps.results import tell_results
from depression_vr.sweeps.search import Search, read_search
from depression_vr.sweeps.study import DONE, open_study, sampler_of
from depression_vr.sweeps.trials import ERROR, Launch, Standing, folder_of, settle, standing_of, was_killed

_SECONDS_BETWEEN_LOOKS = 0.5


class StudySweep(OptunaSweeperImpl):
    """Runs trials until the study has as many as are wanted, several at a time, and shows what came out.

    What became of a trial is read from its run directory: finished, stopped early, failed with an error, or
    interrupted or killed, after which the same trial goes on from its checkpoint. So the same command goes on
    with a study whose sweep was stopped or killed, and with the trials that were under way.

    Args:
        sampler: config of one of Optuna's samplers.
        storage: as `open_storage` takes it.
        study_name: of the study.
        n_trials: finished and early-stopped trials that are wanted in all.
        n_jobs: trials at a time.
        most_failures_in_a_row: after which the sweep ends.
        params: what is searched, as sweeping overrides by key.
    """

    def __init__(
        self,
        sampler: DictConfig,
        storage: str,
        study_name: str,
        n_trials: int,
        n_jobs: int,
        most_failures_in_a_row: int,
        params: DictConfig | None,
    ) -> None:
        super().__init__(sampler, "minimize", storage, study_name, n_trials, n_jobs, 1.0, None, params)
        self.most_failures_in_a_row = most_failures_in_a_row
        self._failures = 0

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives every sweeper."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.folder = Path(config.hydra.sweep.dir).absolute()
        self._settings_of = partial(Search.settings, loader=hydra_context.config_loader, sweep=config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials that are wanted still; exits with 2 where the user is to mend something.

        Args:
            arguments: overrides of the command line.
        """
        with told_in_one_message():
            self._refuse_unfit_numbers()
            self._process_searchspace_config()
            self.search = read_search([*self._parse_sweeper_params_config(), *arguments])
            settings = self._settings_of(self.search)
            with locked(self.folder):
                self.study = open_study(str(self.storage), str(self.study_name), settings)
                try:
                    self._run_all()
                finally:
                    tell_results(self.study, self.folder)

    def _refuse_unfit_numbers(self) -> None:
        for key in ("n_trials", "n_jobs", "most_failures_in_a_row"):
            number = getattr(self, key)
            if not isinstance(number, int) or number < 1:
                raise UserError(
                    f"{number!r} is no number of them",
                    where=f"config key hydra.sweeper.{key}",
                    fix="give a whole number of at least 1",
                )
        if self.n_jobs > 1 and isinstance(self.launcher, BasicLauncher):
            raise UserError(
                f"{self.n_jobs} trials at a time need a process each",
                where="config key hydra.sweeper.n_jobs",
                fix="add hydra/launcher=joblib, submitit_local or submitit_slurm",
            )

    def _run_all(self) -> None:
        left_over = deque(trial.number for trial in self.study.get_trials(states=(TrialState.RUNNING,)))
        under_way: dict[Future[Launch], int] = {}
        assert self.launcher is not None
        launching = Launching(self.launcher, self.folder, self.n_jobs)
        with Display(self.study, self.n_trials, bar=not launching.is_here) as display, interrupts():
            self._display = display
            left_over = deque(number for number in left_over if not self._has_ended_meanwhile(number))
            try:
                while self._starts(launching, left_over, under_way) or under_way:
                    ended, _ = wait(under_way, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
                    for future in ended:
                        number = under_way.pop(future)
                        if not self._settled(number, future.result()):
                            left_over.append(number)
            except BaseException:
                launching.stop(under_way)
                for number in under_way.values():
                    if standing_of(folder_of(self.folder, number)) == Standing.ENDED:
                        settle(self.study, number, folder_of(self.folder, number), Launch())
                raise

    def _has_ended_meanwhile(self, number: int) -> bool:
        """Whether a trial that the study has as running has ended since, perhaps with its sweep."""
        standing = standing_of(folder_of(self.folder, number))
        return standing in (Standing.ENDED, Standing.KILLED) and self._settled(number, Launch())

    def _starts(
        self, launching: Launching, left_over: deque[int], under_way: dict[Future[Launch], int]
    ) -> bool:
        """Start trials until so many are under way as may be; False where none was started."""
        before = len(under_way)
        while len(under_way) < self.n_jobs:
            if left_over:
                number = left_over.popleft()
            elif self._done() + len(under_way) < self.n_trials:
                number = len(self.study.get_trials(deepcopy=False))  # the next: no other sweep is at it
            else:
                break
            overrides = self._overrides(number)
            self._display.begins(self.study.get_trials(deepcopy=False)[number])
            under_way[launching.start(number, overrides, alone=was_killed(self.study, number))] = number
        return len(under_way) > before

    def _overrides(self, number: int) -> tuple[str, ...]:
        """Overrides of a trial, which is begun in the study where it is not there yet."""
        self.study.sampler = sampler_of(self.sampler, number)
        begun = self.study.get_trials(deepcopy=False)
        trial = Trial(self.study, begun[number]._trial_id) if number < len(begun) else self.study.ask()
        assert trial.number == number
        (overrides,) = self._configure_trials(
            [trial], dict(self.search.space), dict(self.search.fixed), list(self.search.deleted)
        )
        return tuple(overrides)

    def _done(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=DONE))

    def _settled(self, number: int, launch: Launch) -> bool:
        """Whether a trial that nobody works on has ended; its end is told to the study and to the user.

        Raises:
            UserError: too many have failed in a row.
        """
        folder = folder_of(self.folder, number)
        if not settle(self.study, number, folder, launch):
            self._display.say(f"trial {number} was interrupted or killed, and goes on")
            return False
        trial = self.study.get_trials(deepcopy=False)[number]
        self._display.ended(trial)
        self._failures = self._failures + 1 if trial.state == TrialState.FAIL else 0
        if self._failures >= self.most_failures_in_a_row:
            error = first_line(trial.user_attrs[ERROR])
            raise UserError(
                f"{self._failures} trials have failed in a row, the last with: {error}",
                where=f"{folder / 'train.log'} and the other trials'",
                fix="mend the cause, or search where there is none; the same command goes on",
            )
        return True
