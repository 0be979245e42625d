"""Evaluate a run or a checkpoint on any partition of any corpus.

``python -m depression_vr.evaluate run=RUN_DIR``
``python -m depression_vr.evaluate model=sta_drn ckpt=best.pth data=avec2014 data.root=FOLDER``
"""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

import depression_vr.quick_imports  # noqa: F401
from depression_vr import assembly
from depression_vr.distributed.processes import with_counted_devices
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.runs.console import print_metrics
from depression_vr.runs.record import RunRecord
from depression_vr.runs.run import Run, open_run

CLIP_KEYS = ("clip_length", "frame_step", "size", "read_at", "regions", "normalisation")
ROLE_KEYS = ("fold", "data.fold", "data.folds", "data.protocol")
ONE_VIEW = {"read_at": "size", "regions": [{"_target_": "depression_vr.data.regions.Region"}]}
"""What runs did that were recorded before there were these keys."""


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate and leave a run directory of its own."""
    overrides = list(HydraConfig.get().overrides.task)
    checkpoint = _checkpoint(config, overrides)
    run = Run(Path(config.run_dir))
    config = with_counted_devices(assembly.with_absolute_paths(config))
    with RunRecord(run, config, overrides) as record:
        datamodule = assembly.build_datamodule(config)
        assembly.note_corpus(record, datamodule)
        module = assembly.build_regression(config)
        assembly.load_checkpoint(module, checkpoint)
        record.note(checkpoint=str(checkpoint))
        trainer = assembly.build_trainer(config)
        assembly.evaluate(run, record, trainer, module, datamodule)
        if record.writes:
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
    """Use the network of a run, and its corpus unless the command line names another.

    Single keys of the command line count in both; clips of another corpus are cut as the run cut them. Who
    is trained on and who is tested in the run's own corpus was settled by its training.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    if any(override.key_or_group in ("model", "optim") for override in parsed):
        raise UserError(
            "a run brings its own network", where="config keys run and model", fix="leave model= out"
        )
    with open_dict(config):
        recorded: Any = OmegaConf.merge(ONE_VIEW, trained.data)
        for key in ("network", "model", "input", "optim"):
            config[key] = trained[key]
        if any(override.key_or_group == "data" for override in parsed):
            recorded = OmegaConf.merge(config.data, {key: recorded[key] for key in CLIP_KEYS})
        else:
            _refuse_other_roles([override.key_or_group for override in parsed])
        config.data = recorded
        for override in parsed:
            if override.key_or_group.startswith(("model.", "optim.", "data.")):
                OmegaConf.update(config, override.key_or_group, override.value(), force_add=True)
        config.data.evaluate_on = config.partition
        config.fold = OmegaConf.select(config, "data.fold")  # which counts


def _refuse_other_roles(keys: list[str]) -> None:
    changed = [key for key in keys if key in ROLE_KEYS]
    if changed:
        raise UserError(
            "a run brings the roles of its corpus's videos: others would test it on videos it was trained on",
            where=f"config keys run and {', '.join(changed)}",
            fix="leave them out and use partition=..., or name the corpus too, data=..., to deal it anew",
        )


if __name__ == "__main__":
    main()
