"""Show what a trained network looks at, in single videos and over a partition.

``python -m depression_vr.explain run=RUN_DIR``
``python -m depression_vr.explain run=RUN_DIR video=203_1_Freeform methods=grad_cam``
"""

from pathlib import Path
from typing import Annotated

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

import depression_vr.quick_imports  # noqa: F401
from depression_vr.entry import entry_point
from depression_vr.explaining.attributions import methods_for, refuse_other_methods, refuse_other_stages
from depression_vr.explaining.choosing import named_videos, spread_over_scores
from depression_vr.explaining.methods import Settings
from depression_vr.explaining.partition.explain import explain_partition
from depression_vr.explaining.partition.settings import PartitionSettings
from depression_vr.explaining.videos import explain_videos
from depression_vr.keys import A_LIST, keys_of
from depression_vr.trained import TrainedNetwork, open_trained

_Names = Annotated[Annotated[list[str], Field(min_length=1)] | None, A_LIST]


@dataclass(frozen=True, config=ConfigDict(coerce_numbers_to_str=True))
class Wanted:
    """Keys of ``conf/explain.yaml``, those about single videos; a list of one may be without brackets."""

    video: _Names
    n: NonNegativeInt
    methods: _Names
    windows: PositiveInt | None
    stage: PositiveInt | None
    steps: PositiveInt
    at_once: PositiveInt

    @property
    def settings(self) -> Settings:
        """Of the methods."""
        return Settings(self.stage, self.steps, self.at_once)


@entry_point("explain", goes_on=True)
def main(config: DictConfig) -> None:
    """Explain single videos, or a partition and some of its videos."""
    wanted, of_partition = keys_of(config, Wanted), PartitionSettings.of(config)
    folder = Path(config.run_dir)
    trained = open_trained(config, list(HydraConfig.get().overrides.task))
    network = trained.module.network
    methods = tuple(dict.fromkeys(wanted.methods or methods_for(network)))
    refuse_other_methods(network, methods)
    for method in methods:
        refuse_other_stages(network, method, wanted.stage)
    rows = _rows(trained, wanted)
    with trained.evaluating():
        explain_videos(trained, rows, methods, wanted.settings, wanted.windows, folder / "videos")
        if wanted.video is None:
            explain_partition(trained, methods, wanted.settings, of_partition, folder / "partition")


def _rows(trained: TrainedNetwork, wanted: Wanted) -> list[int]:
    """Rows of the videos to show."""
    manifest = trained.datamodule.manifest
    if wanted.video is not None:
        return named_videos(manifest, wanted.video)
    trained.datamodule.windows(trained.config.partition)  # which refuses one without videos
    return spread_over_scores(manifest, manifest.rows(trained.config.partition), wanted.n)


if __name__ == "__main__":
    main()
