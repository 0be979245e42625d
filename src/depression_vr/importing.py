"""From a checkpoint file of whatever origin to a run directory."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig, open_dict
from pydantic.dataclasses import dataclass

from depression_vr import assembly
from depression_vr.errors import Problem, UserError, first_of
from depression_vr.files import content_digest
from depression_vr.keys import APath, keys_of
from depression_vr.learning.checkpoint_files import WholeCheckpoints
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.runs.record import RunRecord
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)

NO_CORPUS = "none"
"""Name of the corpus of weights that were imported without one."""


@dataclass(frozen=True)
class _Keys:
    ckpt: APath | None


def import_checkpoint(run: Run, config: DictConfig, overrides: Sequence[str]) -> None:
    """Write a run directory with the weights of ``config.ckpt``; before it is known that they fit, nothing.

    A checkpoint of this project brings its scale. To bare weights the config's applies, as released with
    STA-DRN unless told otherwise.

    Args:
        run: to write.
        config: of the command, ``conf/import_weights.yaml``.
        overrides: of the command line.

    Raises:
        UserError: no file is named, it is no checkpoint, does not fit the network or is not finite, something
            is wrong with the corpus or the scale, or there is a run already.
    """
    if run.config_file.exists():
        raise UserError("there is a run already", where=str(run.folder), fix="name another folder with out=")
    source = _checkpoint(config)
    module = assembly.build_regression(config)
    assembly.load_checkpoint(module, source)
    _refuse_not_finite(module, source)
    _refuse_another_factor(config, module.scale)
    recorded = assembly.with_absolute_paths(config)
    datamodule = assembly.build_datamodule(recorded)
    if recorded.data.corpus != NO_CORPUS:
        _ = datamodule.manifest  # complains of everything that is wrong with it
    origin = {"file": source.name, "sha256": content_digest(source)}
    with open_dict(recorded):
        recorded.ckpt, recorded.imported = None, origin
    with RunRecord(run, recorded, overrides) as record:
        record.note(kind="imported", imported=origin)
        if recorded.data.corpus != NO_CORPUS:
            assembly.note_corpus(record, datamodule)
        weights = {"state_dict": module.state_dict()}
        WholeCheckpoints().save_checkpoint(weights, run.checkpoints / "best.ckpt")
    scale = module.scale
    log.info("scores are %g + %g y, at least 0", scale.offset, scale.factor)


def _checkpoint(config: DictConfig) -> Path:
    if config.run is not None:
        raise UserError(
            "weights are imported from a file, not from a run", where="config key run", fix="give ckpt=FILE"
        )
    given = keys_of(config, _Keys).ckpt
    if given is None:
        raise UserError("nothing to import", where="config key ckpt", fix="give ckpt=FILE")
    return given


def _refuse_not_finite(module: ScoreRegression, source: Path) -> None:
    """Every score of such a network would be no number, or say nothing."""
    wrong = [key for key, tensor in module.state_dict().items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise UserError(
            "there are numbers among the weights that are not finite",
            where=str(source),
            problems=first_of([Problem(key, "has NaN or infinity") for key in wrong], "keys"),
            fix="use an earlier checkpoint of that training",
        )


def _refuse_another_factor(config: DictConfig, scale: ScoreScale) -> None:
    told = config.optim.scale.get("factor")
    if told is not None and not math.isclose(told, scale.factor.item(), rel_tol=1e-6):  # of float32
        raise UserError(
            f"the checkpoint brings its scale, whose factor is {scale.factor:g} and not {told:g}",
            where="config key optim.scale.factor",
            fix="leave it out",
        )
