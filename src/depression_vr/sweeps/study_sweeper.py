"""The sweeper that Hydra finds by its name; Optuna is imported when a sweep begins."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """Trials of an Optuna study, which the same command goes on with: see `StudySweep`.

    Args:
        settings: as `StudySweep` takes them.
    """

    def __init__(self, **settings: Any) -> None:
        from depression_vr.sweeps.study_sweep import StudySweep  # noqa: PLC0415, it brings Optuna

        self.sweeping = StudySweep(**settings)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's."""
        self.sweeping.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the trials that the study still wants.

        Args:
            arguments: overrides of the command line, but for Hydra's own.
        """
        return self.sweeping.sweep(arguments)
