"""A sweep that is under way, on the terminal."""

from typing import Any, Self

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from depression_vr.sweeps.ending import first_line
from depression_vr.sweeps.study import DONE, best_trial, development_mae
from depression_vr.sweeps.trials import ERROR

_SAID = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed"}


class Display:
    """A line for every trial that has ended and, where the trials show none of their own, a progress bar.

    Args:
        study: whose trials are counted.
        wanted: how many are to be done.
        bar: whether there is a bar.
    """

    def __init__(self, study: Study, wanted: int, *, bar: bool) -> None:
        self._study = study
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("trials"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=float("inf"),
            disable=not bar,
        )
        self._task = self._progress.add_task(study.study_name, total=wanted, completed=self._done())

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
            f"trial {trial.number} {_SAID[trial.state]}: development MAE {development_mae(trial):.2f} "
            f"({so_far}; {self._done()} of {self._progress.tasks[0].total:.0f} trials)"
        )
        self._progress.update(self._task, completed=self._done(), description=so_far)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _done(self) -> int:
        return len(self._study.get_trials(deepcopy=False, states=DONE))


def short(value: Any) -> str:
    """A setting as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
