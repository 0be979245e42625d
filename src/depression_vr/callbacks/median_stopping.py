"""A trial of a study stops itself when it is worse than the others were at the same epoch."""

import logging
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from depression_vr.errors import first_line

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage

log = logging.getLogger(__name__)

_MONITORED = "development/mae"


class MedianStopping(pl.Callback):
    """Reports the development MAE of every epoch to the study and asks Optuna's pruner whether to stop.

    Hydra's sweepers cannot stop a trial, so it stops itself, is evaluated and finishes like any other. What a
    resumed trial reports again replaces what it had reported. Where the trial has ended in the study before,
    as for a run that reproduces it, the training stops at the epoch at which the trial did. A study that
    cannot be reached is warned of once, tried again after the next epoch, and stops no training meanwhile.

    Args:
        pruner: as Optuna's `MedianPruner`, whose steps are epochs.
        storage: where the study is, as `open_storage` takes it.
        study_name: its name.
        trial: number of the trial.

    Attributes:
        stopped_early: ``epoch`` and ``development_mae`` (in points) at which it stopped the training; None
            where it did not.
    """

    def __init__(self, pruner: "BasePruner", storage: str, study_name: str, trial: int) -> None:
        self.pruner = pruner
        self.storage = storage
        self.study_name = study_name
        self.trial = trial
        self.stopped_early: dict[str, Any] | None = None
        self._opened: BaseStorage | None = None
        self._has_warned = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, and stop all processes where the first one finds that the trial should."""
        if trainer.sanity_checking or _MONITORED not in trainer.callback_metrics:
            return
        mae = trainer.callback_metrics[_MONITORED].item()
        stops = trainer.is_global_zero and self._should_stop(trainer.current_epoch, mae)
        if trainer.strategy.broadcast(stops):
            trainer.should_stop = True
            self.stopped_early = {"epoch": trainer.current_epoch, "development_mae": mae}
            log.info(
                "stopped after epoch %d: a development MAE of %.2f is worse than the study's median",
                trainer.current_epoch,
                mae,
            )

    def _should_stop(self, epoch: int, mae: float) -> bool:
        try:
            return self._reported(epoch, mae)
        except Exception as error:  # of any database; the training is worth more than the report
            self._opened = None
            if not self._has_warned:
                self._has_warned = True
                log.warning(
                    "warning: the study %s cannot be reached and stops no training until it can: %s",
                    self.study_name,
                    first_line(error),
                )
            return False

    def _reported(self, epoch: int, mae: float) -> bool:
        import optuna  # noqa: PLC0415, only trials of a study need it

        from depression_vr.sweeps.storage import open_storage  # noqa: PLC0415, as above

        if self._opened is None:
            self._opened = open_storage(self.storage)
        study_id = self._opened.get_study_id_from_name(self.study_name)
        trial_id = self._opened.get_trial_id_from_study_id_trial_number(study_id, self.trial)
        trial = self._opened.get_trial(trial_id)
        if trial.state.is_finished():
            was_stopped = trial.state == optuna.trial.TrialState.PRUNED
            return was_stopped and trial.last_step is not None and epoch >= trial.last_step
        self._opened.set_trial_intermediate_value(trial_id, epoch, mae)
        study = optuna.load_study(study_name=self.study_name, storage=self._opened)
        return self.pruner.prune(study, self._opened.get_trial(trial_id))

    def state_dict(self) -> dict[str, Any]:
        """Whether it has stopped the training, for a run that is interrupted right after."""
        return {"stopped_early": self.stopped_early}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As `state_dict` gave it."""
        self.stopped_early = state_dict["stopped_early"]


def early_stop(trainer: pl.Trainer) -> dict[str, Any] | None:
    """The epoch and development MAE at which the study's median has stopped a training; None where not."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next(
        (each.stopped_early for each in callbacks if isinstance(each, MedianStopping)),
        None,
    )
