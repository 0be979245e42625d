"""Lightning's DDP, whose processes end together and with one message."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import ClusterEnvironment
from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from depression_vr.distributed.batch_norm import SyncBatchNormsOnCpu
from depression_vr.distributed.siblings import Siblings, follow_parent
from depression_vr.runs.run import Run


class TogetherDDP(DDPStrategy):
    """DDP as Lightning has it, with four differences.

    When one process ends in an error, all end, the first one with the message of the one that failed, and
    the run's record says so; Lightning kills the first process. Processes draw different random numbers
    (dropout). ``trainer.sync_batchnorm`` works on CPUs too. The settings are a config's.

    Args:
        run_dir: the run directory.
        settings: of Lightning's strategy.
    """

    def __init__(self, run_dir: str | Path, **settings: Any) -> None:
        super().__init__(**settings)
        self.run = Run(Path(run_dir))

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        follow_parent()
        self._launcher = _TogetherLauncher(
            self.cluster_environment, self.num_processes, self.num_nodes, self.run
        )

    def setup_environment(self) -> None:
        """Join the other processes."""
        super().setup_environment()
        if self.global_rank > 0:  # Lightning has given all the same seed
            seeds = np.random.SeedSequence([torch.initial_seed(), self.global_rank])
            torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]))

    def setup(self, trainer: pl.Trainer) -> None:
        """Wrap the network."""
        if self._layer_sync is not None and self.root_device.type == "cpu":
            self._layer_sync = SyncBatchNormsOnCpu()
        super().setup(trainer)


class _TogetherLauncher(_SubprocessScriptLauncher):
    """Starts the other processes of this machine as Lightning does, and watches them."""

    def __init__(self, environment: ClusterEnvironment, processes: int, nodes: int, run: Run) -> None:
        super().__init__(environment, processes, nodes)
        self.siblings = Siblings(run)

    def launch(
        self, function: Callable[..., Any], *args: Any, trainer: pl.Trainer | None = None, **kwargs: Any
    ) -> Any:
        """Start them, unless they are there already, then call the function as they do."""
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            with self.siblings.environment():
                self._call_children_scripts()
            self.siblings.watch(self.procs, self.cluster_environment.node_rank() * self.num_processes)
        _set_num_threads_if_needed(num_processes=self.num_processes)
        with self.siblings.together():
            return function(*args, **kwargs)
