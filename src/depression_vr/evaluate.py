"""Evaluate a run or a checkpoint on any partition of any corpus.

``python -m depression_vr.evaluate run=RUN_DIR``
``python -m depression_vr.evaluate model=sta_drn ckpt=best.pth data=avec2014 data.root=FOLDER``
"""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pydantic.dataclasses import dataclass

import depression_vr.quick_imports  # noqa: F401
from depression_vr import assembly
from depression_vr.data.manifest import Partition
from depression_vr.distributed.processes import with_counted_devices
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.files import content_digest
from depression_vr.keys import APath, Confidence, keys_of
from depression_vr.runs.console import print_metrics
from depression_vr.runs.record import RunRecord
from depression_vr.runs.run import Run, open_run
from depression_vr.taking_over import checkpoint_of, take_over


@dataclass(frozen=True)
class _Keys:
    run: APath | None
    ckpt: APath | None
    partition: Partition
    confidence: Confidence


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate and leave a run directory of its own."""
    overrides = list(HydraConfig.get().overrides.task)
    keys = keys_of(config, _Keys)
    trained = None if keys.run is None else open_run(keys.run)
    checkpoint = _checkpoint(config, trained, keys.ckpt, overrides)
    run = Run(Path(config.run_dir))
    config = with_counted_devices(assembly.with_absolute_paths(config))
    with RunRecord(run, config, overrides) as record:
        datamodule = assembly.build_datamodule(config)
        assembly.note_corpus(record, datamodule)
        module = assembly.build_regression(config)
        assembly.load_checkpoint(module, checkpoint)
        record.note(checkpoint=str(checkpoint), checkpoint_sha256=content_digest(checkpoint))
        trainer = assembly.build_trainer(config)
        assembly.evaluate(
            run, record, trainer, module, datamodule, calibrated=trained, confidence=keys.confidence
        )
        if record.writes:
            print_metrics(run, config.network)


def _checkpoint(config: DictConfig, trained: Run | None, given: Path | None, overrides: list[str]) -> Path:
    """The checkpoint to evaluate; a run's config is taken over into ``config``."""
    if trained is not None:
        take_over(config, trained.config(), overrides)
        return given or checkpoint_of(trained)
    if given is None:
        raise UserError(
            "nothing to evaluate", where="config keys run and ckpt", fix="give run=RUN_DIR or ckpt=FILE"
        )
    return given


if __name__ == "__main__":
    main()
