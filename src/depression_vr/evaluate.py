"""Evaluate a run or a checkpoint on any partition of any corpus.

``python -m depression_vr.evaluate run=RUN_DIR``
``python -m depression_vr.evaluate model=sta_drn ckpt=best.pth data=avec2014 data.root=FOLDER``
"""

from pathlib import Path

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from depression_vr import assembly
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.runs.console import print_metrics
from depression_vr.runs.record import RunRecord
from depression_vr.runs.run import Run, open_run

CLIP_KEYS = ("clip_length", "frame_step", "size", "normalisation")


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate and leave a run directory of its own."""
    overrides = list(HydraConfig.get().overrides.task)
    checkpoint = _checkpoint(config, overrides)
    run = Run(Path(config.run_dir))
    with RunRecord(run, config, overrides) as record:
        pl.seed_everything(config.seed, workers=True, verbose=False)
        datamodule = assembly.build_datamodule(config)
        assembly.note_corpus(record, datamodule)
        module = assembly.build_regression(config)
        assembly.load_checkpoint(module, checkpoint)
        record.note(checkpoint=str(checkpoint))
        trainer = assembly.build_trainer(config)
        assembly.evaluate(run, record, trainer, module, datamodule)
        print_metrics(run, config.network)


def _checkpoint(config: DictConfig, overrides: list[str]) -> Path:
    """The checkpoint to evaluate; a run's config is taken over into ``config``."""
    if config.run is None and config.ckpt is None:
        raise UserError(
            "nothing to evaluate", where="config keys run and ckpt", fix="give run=RUN_DIR or ckpt=FILE"
        )
    if config.run is None:
        return Path(config.ckpt)
    run = open_run(Path(config.run))
    _take_over(config, run.config(), overrides)
    return run.best_checkpoint if config.ckpt is None else Path(config.ckpt)


def _take_over(config: DictConfig, trained: DictConfig, overrides: list[str]) -> None:
    """Use the network of a run, cut clips as it did, and its corpus unless the command line names another."""
    other_corpus = any(override.startswith("data=") for override in overrides)
    kept = CLIP_KEYS if other_corpus else trained.data.keys()
    changed = OmegaConf.from_dotlist([override for override in overrides if override.startswith("data.")])
    with open_dict(config):
        for key in ("network", "model", "input", "optim"):
            config[key] = trained[key]
        data = config.data if other_corpus else {}
        config.data = OmegaConf.merge(data, {key: trained.data[key] for key in kept}, changed.get("data", {}))
        config.data.evaluate_on = config.partition


if __name__ == "__main__":
    main()
