"""Send to W&B what trainings have left for it in their run directories.

``python -m depression_vr.wandb_sync runs=outputs``
"""

from omegaconf import DictConfig

from depression_vr.entry import entry_point
from depression_vr.keys import keys_of
from depression_vr.wandb_project.syncing import Wanted, sync


@entry_point("wandb_sync", goes_on=True)
def main(config: DictConfig) -> None:
    """Send what has not been sent; again goes on with what is missing."""
    sync(keys_of(config, Wanted))


if __name__ == "__main__":
    main()
