"""Evaluate a run or a checkpoint on any partition of any corpus.

``python -m depression_vr.evaluate run=RUN_DIR``
``python -m depression_vr.evaluate model=sta_drn ckpt=best.pth data=avec2014 data.root=FOLDER``
"""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import depression_vr.quick_imports  # noqa: F401
from depression_vr import assembly
from depression_vr.distributed.processes import with_counted_devices
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.files import content_digest
from depression_vr.intervals.applied import refuse_no_confidence
from depression_vr.runs.console import print_metrics
from depression_vr.runs.record import RunRecord
from depression_vr.runs.run import Run, open_run
from depression_vr.trained import take_over


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate and leave a run directory of its own."""
    overrides = list(HydraConfig.get().overrides.task)
    refuse_no_confidence(config.confidence)
    trained = None if config.run is None else open_run(Path(config.run))
    checkpoint = _checkpoint(config, trained, overrides)
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
            run, record, trainer, module, datamodule, calibrated=trained, confidence=config.confidence
        )
        if record.writes:
            print_metrics(run, config.network)


def _checkpoint(config: DictConfig, trained: Run | None, overrides: list[str]) -> Path:
    """The checkpoint to evaluate; a run's config is taken over into ``config``."""
    if trained is None and config.ckpt is None:
        raise UserError(
            "nothing to evaluate", where="config keys run and ckpt", fix="give run=RUN_DIR or ckpt=FILE"
        )
    if trained is None:
        return Path(config.ckpt)
    take_over(config, trained.config(), overrides)
    return trained.best_checkpoint if config.ckpt is None else Path(config.ckpt)


if __name__ == "__main__":
    main()
