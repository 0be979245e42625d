"""Train a network, evaluate its checkpoint on the test partition and leave a run directory.

``python -m depression_vr.train model=sta_drn data=avec2014 data.root=FOLDER``
``python -m depression_vr.train resume=RUN_DIR``
"""

import logging
import math
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import depression_vr.quick_imports  # noqa: F401
from depression_vr import assembly
from depression_vr.distributed.processes import leads, with_counted_devices
from depression_vr.effective_batch import with_scaled_rate
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.resuming import goes_on, resumed_config
from depression_vr.runs.console import print_metrics
from depression_vr.runs.resume_files import remove_resume_files
from depression_vr.runs.run import Run
from depression_vr.training import train

log = logging.getLogger(__name__)


@entry_point("train")
def main(config: DictConfig) -> float:
    """Run one experiment; returns the best development MAE, which a sweep minimises (NaN without)."""
    overrides = HydraConfig.get().overrides.task
    _refuse_no_seed(config)
    config = assembly.with_absolute_paths(config)
    run = Run(Path(config.run_dir))
    resumes = goes_on(config, run)
    if resumes:
        config = resumed_config(config, run, overrides)
    config = with_scaled_rate(with_counted_devices(config))
    if resumes and run.is_finished:
        log.info("the run has finished already")
        remove_resume_files(run.checkpoints)
        best = run.record().get("best_development_mae")
        best = math.nan if best is None else best
    else:
        best = train(config, run, overrides, resumes=resumes)
    if leads(config):
        print_metrics(run, config.network)
    return best


def _refuse_no_seed(config: DictConfig) -> None:
    """Before there is a record, which the listing of runs could not read."""
    if not isinstance(config.seed, int) or config.seed < 0:
        raise UserError(
            f"{config.seed!r} is no seed", where="config key seed", fix="give a whole number, 0 or more"
        )


if __name__ == "__main__":
    main()
