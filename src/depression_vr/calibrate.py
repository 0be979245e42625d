"""Calibrate the intervals of a run, of an earlier version or with weights from elsewhere.

``python -m depression_vr.calibrate run=RUN_DIR``
``python -m depression_vr.calibrate run=RUN_DIR data=avec2014 data.root=FOLDER``
"""

import sys

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pydantic.dataclasses import dataclass

import depression_vr.quick_imports  # noqa: F401
from depression_vr.distributed.processes import leads, with_counted_devices
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.intervals.calibration import write_calibration
from depression_vr.intervals.console import print_calibration
from depression_vr.intervals.known_videos import refuse_trained_on, was_selected
from depression_vr.intervals.networks import calibrate
from depression_vr.keys import Confidence, keys_of
from depression_vr.learning.faults import faults_explained
from depression_vr.trained import TrainedNetwork, open_trained


@dataclass(frozen=True)
class _Keys:
    confidence: Confidence


@entry_point("calibrate")
def main(config: DictConfig) -> None:
    """Store the calibration with the run; exit code 1 where the network's scores allow none."""
    confidence = keys_of(config, _Keys).confidence
    if config.partition == "training":
        raise UserError(
            "on the videos that it was trained on a network is wrong by less than on others",
            where="config key partition",
            fix="use partition=development, or videos of another corpus, data=...",
        )
    trained = open_trained(with_counted_devices(config), HydraConfig.get().overrides.task)
    _refuse_no_development(trained)
    _refuse_other_scale(trained)
    selected_on = _selected_on(trained)
    with faults_explained(trained.config, "evaluation"):
        calibration = calibrate(
            trained.trainer,
            trained.module,
            trained.datamodule,
            config.partition,
            selected_on=selected_on,
        )
    if calibration is None:
        sys.exit(1)
    if leads(config):
        write_calibration(trained.run, calibration)
        print_calibration(calibration, confidence)
        if trained.config.ckpt is not None:
            print("note: it is used with this checkpoint only, ckpt=..., not with the best one of the run")
        print(f"calibration: {trained.run.calibration_file}")


def _selected_on(trained: TrainedNetwork) -> bool | None:
    """Whether the weights were selected on the videos; None where nothing says so.

    Raises:
        UserError: they were trained on some of them.
    """
    roles = refuse_trained_on(trained.run, trained.datamodule, trained.config.partition)
    if roles is None or trained.config.ckpt is not None:
        return None
    if not (roles == "development").any():
        return False
    return was_selected(trained.run)


def _refuse_no_development(trained: TrainedNetwork) -> None:
    datamodule = trained.datamodule
    if trained.config.partition == "development" and not datamodule.selects:
        raise UserError(
            f"data.protocol={datamodule.split.protocol} has merged the development partition into training, "
            "which leaves no videos to calibrate",
            where="config keys run and data",
            fix="name another corpus, data=...",
        )


def _refuse_other_scale(trained: TrainedNetwork) -> None:
    maximum, wanted = trained.datamodule.manifest.maximum, trained.module.scale.maximum
    if maximum != wanted:
        raise UserError(
            f"the scale of the corpus ends at {maximum:g}, and that of the network at {wanted:g}",
            where="config keys run and data",
            fix=f"use a corpus with scores of 0 to {wanted:g}",
        )


if __name__ == "__main__":
    main()
