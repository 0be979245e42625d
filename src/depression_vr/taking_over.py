"""What a command takes over from the run that it opens again."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from depression_vr.errors import UserError
from depression_vr.runs.listing import unfinished
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)

CLIP_KEYS = ("clip_length", "frame_step", "size", "read_at", "regions", "normalisation")
ROLE_KEYS = ("fold", "data.fold", "data.folds", "data.protocol")
ONE_VIEW = {"read_at": "size", "regions": [{"_target_": "depression_vr.data.regions.Region"}]}
"""What runs did that were recorded before there were these keys."""


def checkpoint_of(run: Run) -> Path:
    """The best checkpoint of a run, with a warning where its training has not come to its end.

    Raises:
        UserError: it has none.
    """
    checkpoint = run.best_checkpoint
    end = unfinished(run)
    if end is not None:
        log.warning("warning: the run has not finished (%s): the best checkpoint so far is used", end)
    return checkpoint


def take_over(config: DictConfig, trained: DictConfig, overrides: Sequence[str]) -> None:
    """Use the network of a run, and its corpus unless the command line names another.

    Single keys of the command line count in both; clips of another corpus are cut as the run cut them. Who
    is trained on and who is tested in the run's own corpus was settled by its training.

    Args:
        config: of the command; changed.
        trained: of the run.
        overrides: of the command line.

    Raises:
        UserError: an override does not go together with a run.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    if any(override.key_or_group in ("model", "optim") for override in parsed):
        raise UserError(
            "a run brings its own network", where="config keys run and model", fix="leave model= out"
        )
    with open_dict(config):
        recorded: Any = OmegaConf.merge(ONE_VIEW, trained.data)
        for key in ("network", "model", "input", "optim"):
            config[key] = trained[key]
        if "imported" in trained:
            config.imported = trained.imported
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
