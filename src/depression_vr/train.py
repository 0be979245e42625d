"""Train a network, evaluate its checkpoint on the test partition and leave a run directory.

``python -m depression_vr.train model=sta_drn data=avec2014 data.root=FOLDER``
"""

from pathlib import Path

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from depression_vr import assembly
from depression_vr.callbacks.selection import refuse_selection_without_development
from depression_vr.entry import entry_point
from depression_vr.learning.preflight import refuse_wrong_gradients
from depression_vr.runs.console import print_metrics
from depression_vr.runs.record import RunRecord
from depression_vr.runs.run import Run
from depression_vr.settings import run_fingerprint, shareable_config


@entry_point("train")
def main(config: DictConfig) -> float:
    """Run one experiment; returns the best development MAE, which a sweep minimises (NaN without)."""
    config = assembly.with_absolute_paths(config)
    run = Run(Path(config.run_dir))
    with RunRecord(run, config, HydraConfig.get().overrides.task) as record:
        datamodule = assembly.build_datamodule(config)
        pl.seed_everything(config.seed, workers=True, verbose=False)
        assembly.note_corpus(record, datamodule)
        record.note(fingerprint=run_fingerprint(config, datamodule.manifest.fingerprint()))
        module = assembly.build_regression(config)
        module.scale.fit(datamodule.training_labels())
        trainer = assembly.build_trainer(config)
        refuse_wrong_gradients(trainer)
        refuse_selection_without_development(trainer, datamodule)
        settings = shareable_config(config)
        for logger in trainer.loggers:
            logger.log_hyperparams(settings)

        trainer.fit(module, datamodule)

        best = assembly.best_development_mae(trainer)
        record.note(best_development_mae=best, checkpoint=run.best_checkpoint.name)
        assembly.load_checkpoint(module, run.best_checkpoint)
        assembly.evaluate(run, record, trainer, module, datamodule)
        print_metrics(run, config.network)
        return best


if __name__ == "__main__":
    main()
