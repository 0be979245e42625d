"""The state of Lightning's loops as a checkpoint needs it to go on exactly where it was written."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl

_EPOCHS = "epoch_progress"
_BATCHES = "epoch_loop.batch_progress"
_EPOCH_LOOP = "epoch_loop.state_dict"


def resumable(loops: Mapping[str, Any], batches: int) -> dict[str, Any]:
    """The state to store when a checkpoint is written just before a batch begins.

    Lightning recognises where a checkpoint was written by the differences between its counters, and mends
    them when it loads one. For the moment before a batch it has no case: counters of the epoch before, or of
    the batch that is about to begin, would let it skip an epoch or shift the loggers' step. Here the counters
    become those of its case "written in ``on_train_batch_end``" or, before the first batch, those between two
    epochs, which need `begin_epoch`.

    Args:
        loops: ``checkpoint["loops"]`` of Lightning 2.6.
        batches: of the epoch that are done. The gradients of none of them wait for others.
    """
    state = deepcopy(dict(loops))
    fit = state["fit_loop"]
    if batches == 0:
        for counters in (fit[_EPOCHS]["total"], fit[_EPOCHS]["current"]):
            counters["ready"] = counters["completed"]
        return state
    progress = fit[_BATCHES]
    progress["total"] = _just_processed(progress["total"]["completed"])
    progress["current"] = _just_processed(batches)
    progress["is_last_batch"] = False
    fit[_EPOCH_LOOP]["_batches_that_stepped"] -= 1  # the case adds the step that the last batch made
    return state


def _just_processed(batches: int) -> dict[str, int]:
    return {"ready": batches, "started": batches, "processed": batches, "completed": batches - 1}


def begin_epoch(trainer: pl.Trainer) -> None:
    """Let a training whose checkpoint was written between two epochs begin the next one as any other.

    To be called in ``on_train_start``, when Lightning has loaded the counters.
    """
    # past the setter, which a training of so many steps (max_steps) lets say True
    trainer.fit_loop._restarting = False
    trainer.fit_loop.epoch_loop.restarting = False
