"""A sweep that is under way, on the terminal."""

from typing import Any, Self

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from rich.progress import MofNCompleteColumn, TextColumn

from depression_vr.errors import first_line
from depression_vr.progress import progress_bar
from depression_vr.sweeps.study import STATES, best_trial, development_mae, trials_done
from depression_vr.sweeps.trials import ERROR


class Display:
    """A line for every trial that has ended and, where the trials show none of their own, a progress bar.

    Args:
        study: whose trials are counted.
        wanted: how many are to be done.
        bar: whether there is a bar.
    """

    def __init__(self, study: Study, wanted: int, *, bar: bool) -> None:
        self._study = study
        counts = MofNCompleteColumn(), TextColumn("trials")
        self._progress = progress_bar(*counts, speed_estimate_period=float("inf"), disable=not bar)
        self._task = self._progress.add_task(study.study_name, total=wanted, completed=trials_done(study))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begins(self, trial: FrozenTrial) -> None:
        """Say with which settings a trial begins, or goes on."""
        settings = ", ".join(f"{name}={short(value)}" for name, value in trial.params.items())
        self.say(f"trial {trial.number}: {settings}")

    def ended(self, trial: FrozenTrial) -> None:
        """Say how a trial has ended, and which is the best so far."""
        if trial.state == TrialState.FAIL:
            self.say(f"trial {trial.number} failed: {first_line(trial.user_attrs[ERROR])}")
            return
        best = best_trial(self._study)
        assert best is not None
        so_far = f"best so far {development_mae(best):.2f}, trial {best.number}"
        self.say(
            f"trial {trial.number} {STATES[trial.state]}: development MAE {development_mae(trial):.2f} "
            f"({so_far}; {trials_done(self._study)} of {self._progress.tasks[0].total:.0f} trials)"
        )
        self._progress.update(self._task, completed=trials_done(self._study), description=so_far)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, soft_wrap=True, highlight=False, markup=False)


def short(value: Any) -> str:
    """A setting as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
