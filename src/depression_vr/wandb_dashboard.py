"""Make a dashboard of a W&B project: a report or a view of the workspace, with published numbers beside.

``python -m depression_vr.wandb_dashboard project=depression-vr``
"""

import os

from omegaconf import DictConfig

from depression_vr.entry import entry_point
from depression_vr.keys import keys_of
from depression_vr.loggers.wandb_privacy import QUIET_ENVIRONMENT
from depression_vr.wandb_project.dashboard import Wanted, make_dashboard


@entry_point("wandb_dashboard")
def main(config: DictConfig) -> None:
    """Print its address."""
    os.environ.update(QUIET_ENVIRONMENT)  # W&B has no setting for it
    make_dashboard(keys_of(config, Wanted))


if __name__ == "__main__":
    main()
