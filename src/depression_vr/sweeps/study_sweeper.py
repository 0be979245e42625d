"""The sweeper that Hydra finds by its name; Optuna is imported when a sweep begins."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """Trials of an Optuna study, which the same command goes on with: see `StudySweep`.

    Args:
        sampler: config of one of Optuna's samplers, with its seed.
        storage: where the study is, as `open_storage` takes it.
        study_name: its name.
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
        from depression_vr.sweeps.study_sweep import StudySweep  # noqa: PLC0415, it brings Optuna

        self.sweeping = StudySweep(
            sampler, storage, study_name, n_trials, n_jobs, most_failures_in_a_row, params
        )

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's."""
        self.sweeping.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the trials that the study still wants.

        Args:
            arguments: overrides of the command line, but for Hydra's own.
        """
        return self.sweeping.sweep(arguments)
