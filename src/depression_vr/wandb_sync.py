"""Send to W&B what trainings have left for it in their run directories.

``python -m depression_vr.wandb_sync runs=outputs``
"""

import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf

from depression_vr.entry import entry_point
from depression_vr.wandb_project.syncing import Wanted, sync

log = logging.getLogger(__name__)


@entry_point("wandb_sync", goes_on=True)
def main(config: DictConfig) -> None:
    """Send what has not been sent; again goes on with what is missing."""
    keys: Any = OmegaConf.to_container(config, resolve=True)
    sync(Wanted(**keys))


if __name__ == "__main__":
    main()
