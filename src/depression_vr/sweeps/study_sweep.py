"""A sweep: trials of a study, proposed by Optuna and trained by a launcher of Hydra."""

from collections import Counter, deque
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig
from optuna.trial import Trial, TrialState

from depression_vr.callbacks.stopping import interrupts
from depression_vr.errors import UserError, first_line
from depression_vr.sweeps.display import Display
from depression_vr.sweeps.ending import told_in_one_message
from depression_vr.sweeps.folder import locked
from depression_vr.sweeps.launching import Launching
from depression_vr.sweeps.refusals import (
    refuse_an_experiment_of_another_network,
    refuse_unfit_numbers,
    refuse_unfit_trials,
)
from depression_vr.sweeps.results import tell_results
from depression_vr.sweeps.search import Trials, read_search
from depression_vr.sweeps.standing import Standing, folder_of, standing_of
from depression_vr.sweeps.study import open_study, refuse_unfit_sampler, sampler_of, trials_done
from depression_vr.sweeps.trials import (
    ERROR,
    Launch,
    refuse_another_run,
    refuse_foreign_trials,
    settle,
    was_killed,
)

_SECONDS_BETWEEN_LOOKS = 0.5
_LAUNCHES_IN_VAIN = 2


class StudySweep(OptunaSweeperImpl):
    """Runs trials until the study has as many as are wanted, several at a time, and shows what came out.

    What became of a trial is read from its run directory: finished, stopped early, failed with an error, or
    interrupted or killed, after which the same trial goes on from its checkpoint. So the same command goes on
    with a study whose sweep was stopped or killed, and with the trials that were under way.

    Args:
        n_trials: finished and early-stopped trials that are wanted in all.
        n_jobs: trials at a time.
        most_failures_in_a_row: after which the sweep ends.
        settings: the other ones of Optuna's sweeper: ``sampler``, ``storage`` (as `open_storage` takes it),
            ``study_name`` and ``params``, what is searched, as sweeping overrides by key.
    """

    def __init__(self, n_trials: int, n_jobs: int, most_failures_in_a_row: int, **settings: Any) -> None:
        super().__init__(
            direction="minimize",
            max_failure_rate=1.0,
            custom_search_space=None,
            n_trials=n_trials,
            n_jobs=n_jobs,
            **settings,
        )
        self.most_failures_in_a_row = most_failures_in_a_row
        self._failures = 0
        self._not_begun: Counter[int] = Counter()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives every sweeper."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.folder = Path(config.hydra.sweep.dir).absolute()
        self.trials = Trials(hydra_context.config_loader, config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials that are wanted still; exits with 2 where the user is to mend something.

        Args:
            arguments: overrides of the command line.
        """
        with told_in_one_message():
            assert self.launcher is not None
            numbers = ("n_trials", "n_jobs", "most_failures_in_a_row")
            refuse_unfit_numbers({key: getattr(self, key) for key in numbers}, self.launcher)
            self._process_searchspace_config()
            self.search = read_search([*self._parse_sweeper_params_config(), *arguments])
            settings = self._settings_in_common()
            with locked(self.folder):
                self.study = open_study(str(self.storage), str(self.study_name), self.folder, settings)
                refuse_foreign_trials(self.study, self.folder)
                try:
                    self._run_all()
                finally:
                    tell_results(self.study, self.folder)

    def _settings_in_common(self) -> dict[str, str]:
        """What the study is to keep to; what no trial could be trained with is refused."""
        assert self.config is not None
        assert self.launcher is not None
        refuse_unfit_sampler(self.sampler, self.search.space)
        with self.trials.composed(self.search.one_trial()) as trial:
            choices = self.config.hydra.runtime.choices
            refuse_an_experiment_of_another_network(trial, choices.get("experiment"))
            refuse_unfit_trials(trial, self.launcher)
        return self.trials.settings(self.search.in_common) | self.search.readable_space()

    def _run_all(self) -> None:
        left_over = deque(trial.number for trial in self.study.get_trials(states=(TrialState.RUNNING,)))
        under_way: dict[Future[Launch], int] = {}
        assert self.launcher is not None
        launching = Launching(self.launcher, self.folder, self.n_jobs)
        with Display(self.study, self.n_trials, bar=not launching.is_here) as display, interrupts():
            self._display = display
            for number in left_over:
                settings = self.trials.settings(self._overrides(number))
                refuse_another_run(folder_of(self.folder, number), settings)
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
        while len(under_way) < self.n_jobs and not self._has_suspect(under_way.values()):
            if left_over and self._has_suspect(left_over) and under_way:
                break  # one of them kills processes
            if left_over:
                number = left_over.popleft()
            elif trials_done(self.study) + len(under_way) < self.n_trials:
                number = len(self.study.get_trials(deepcopy=False))  # the next: no other sweep is at it
            else:
                break
            overrides = self._overrides(number)
            self._display.begins(self.study.get_trials(deepcopy=False)[number])
            under_way[launching.start(number, overrides)] = number
        return len(under_way) > before

    def _has_suspect(self, numbers: Iterable[int]) -> bool:
        return any(was_killed(self.study, number) for number in numbers)

    def _overrides(self, number: int) -> tuple[str, ...]:
        """Overrides of a trial, which is begun in the study where it is not there yet."""
        self.study.sampler = sampler_of(self.sampler, number)
        begun = self.study.get_trials(deepcopy=False)
        trial = Trial(self.study, begun[number]._trial_id) if number < len(begun) else self.study.ask()
        assert trial.number == number
        _ = trial.relative_params  # what is proposed at once, also where some of it is in the study already
        for parameter, (key, distribution) in enumerate(self.search.space.items()):
            self.study.sampler = sampler_of(self.sampler, number, parameter)
            trial._suggest(key, distribution)
        (overrides,) = self._configure_trials(
            [trial], dict(self.search.space), dict(self.search.fixed), list(self.search.deleted)
        )
        return tuple(overrides)

    def _settled(self, number: int, launch: Launch) -> bool:
        """Whether a trial that nobody works on has ended; its end is told to the study and to the user.

        Raises:
            UserError: too many have failed in a row, or the launcher starts none.
        """
        folder = folder_of(self.folder, number)
        if not settle(self.study, number, folder, launch):
            self._refuse_a_launcher_that_starts_nothing(number, launch)
            said = (
                "was interrupted or killed, and goes on" if launch.began else "has not begun, and does again"
            )
            self._display.say(f"trial {number} {said}")
            return False
        trial = self.study.get_trials(deepcopy=False)[number]
        self._display.ended(trial)
        self._failures = self._failures + 1 if trial.state == TrialState.FAIL else 0
        if self._failures >= self.most_failures_in_a_row:
            error = first_line(trial.user_attrs[ERROR])
            log = folder / "train.log"
            raise UserError(
                f"{self._failures} trials have failed in a row, the last with: {error}",
                where=f"{log} and the other trials'" if log.is_file() else str(self.folder),
                fix="mend the cause, or search where there is none; the same command goes on",
            )
        return True

    def _refuse_a_launcher_that_starts_nothing(self, number: int, launch: Launch) -> None:
        """Once more it is tried: a worker that is killed takes others with it, also before they begin."""
        self._not_begun[number] = 0 if launch.began else self._not_begun[number] + 1
        if self._not_begun[number] == _LAUNCHES_IN_VAIN:
            raise UserError(
                f"trial {number} was launched and has not begun: {launch.lost or 'nothing is known of why'}",
                where="config key hydra/launcher",
                fix="correct the launcher's settings, or take another; the same command goes on",
            )
