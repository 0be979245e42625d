"""Score regression as one LightningModule for every network."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MeanMetric

from depression_vr.data.datasets import NetworkBatch
from depression_vr.errors import UserError
from depression_vr.learning.loss import ScoreLoss
from depression_vr.learning.metrics import VideoMetrics, WindowScores, mae
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.schedule import Schedule

log = logging.getLogger(__name__)

_TORCH_CANNOT_NORMALISE = "Expected more than 1 value per channel when training"


class ScoreRegression(pl.LightningModule):
    """Trains and evaluates a network that puts out one number per clip.

    Args:
        network: views ``(B, 3, T, H, W)``, one argument per region of the face, to y ``(B,)``.
        scale: between y and score.
        loss: of (y, score, scale); not needed to evaluate.
        optimizer: builds the optimizer from the parameters; not needed to evaluate.
        schedule: of the learning rate; constant without.

    Attributes:
        scored: the windows of the last evaluation, of all processes.
    """

    def __init__(
        self,
        network: nn.Module,
        scale: ScoreScale,
        loss: ScoreLoss | None = None,
        optimizer: Callable[[Iterator[nn.Parameter]], Optimizer] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last_3d)
        self.scale = scale
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.training_loss = MeanMetric(nan_strategy="disable")
        self.training_mae = MeanMetric(nan_strategy="disable")
        self.development = VideoMetrics()
        self.evaluation = VideoMetrics()
        self.scored: WindowScores | None = None

    def forward(self, *views: Tensor) -> Tensor:
        """Scores in points, ``(B,)``, of normalised views ``(B, 3, T, H, W)``."""
        return self.scale.score(self.network(*views).float())

    def training_step(self, batch: NetworkBatch, batch_idx: int) -> Tensor:
        """Loss of one batch.

        Raises:
            UserError: the batch is too small for the network's batch norms.
        """
        assert self.loss is not None
        try:
            y = self.network(*batch.views).float()
        except ValueError as refusal:
            if not str(refusal).startswith(_TORCH_CANNOT_NORMALISE):
                raise
            raise UserError(
                f"a batch of {len(batch.score)} is too small for the network's batch norms: {refusal}",
                where="config keys data.batch_size and data.drop_last",
                fix="use larger batches, and data.drop_last=true where only the last of an epoch is so small",
            ) from refusal
        loss: Tensor = self.loss(y, batch.score, self.scale)
        error = mae(self.scale.score(y.detach()), batch.score)
        self.log("training/loss_step", loss.detach())
        self.log("training/mae_step", error, prog_bar=True)
        self.training_loss.update(loss.detach(), weight=len(batch.score))
        self.training_mae.update(error, weight=len(batch.score))
        return loss

    def _training_means(self) -> dict[str, MeanMetric]:
        return {"loss": self.training_loss, "mae": self.training_mae}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the running means of the epoch, which Lightning's own would forget."""
        checkpoint["training_means"] = {
            name: [self.trainer.strategy.reduce(part.clone(), reduce_op="sum") for part in _parts(mean)]
            for name, mean in self._training_means().items()
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the running means, in one process for all."""
        if self.global_rank == 0:
            for name, mean in self._training_means().items():
                mean.mean_value, mean.weight = checkpoint["training_means"][name]

    def on_train_epoch_end(self) -> None:
        """Log the epoch's means, and see whether it went well where no development partition would show it.

        Raises:
            UserError: training has diverged.
        """
        for name, mean in self._training_means().items():
            value = mean.compute()
            self.log(f"training/{name}_epoch", value)
            self.log(f"training/{name}", value, logger=False)  # as Lightning would, for what monitors it
            mean.reset()
        # with one, a loss may overflow in 16 bits: its batch is skipped, and the scores stay finite
        if getattr(self.trainer.datamodule, "selects", True):  # type: ignore[attr-defined]
            return
        if not self.trainer.callback_metrics["training/loss_epoch"].isfinite():
            raise self._diverged("training partition", "loss is")

    def _diverged(self, where: str, what: str) -> UserError:
        return UserError(
            f"the network's {what} not finite after epoch {self.current_epoch}",
            where=where,
            fix="lower optim.optimizer.lr",
        )

    def validation_step(self, batch: NetworkBatch, batch_idx: int) -> None:
        """Keep the windows' scores."""
        self._keep(self.development, batch)

    def test_step(self, batch: NetworkBatch, batch_idx: int) -> None:
        """Keep the windows' scores."""
        self._keep(self.evaluation, batch)

    def _keep(self, metrics: VideoMetrics, batch: NetworkBatch) -> None:
        metrics.update(batch.video, batch.window, self(*batch.views), batch.score)

    def on_validation_epoch_end(self) -> None:
        """Log the development partition's metrics over videos.

        Raises:
            UserError: training has diverged.
        """
        metrics = self.development.compute()
        if not metrics["mae"].isfinite():
            raise self._diverged("development partition", "scores are")
        self._log_metrics("development", metrics)
        self.development.reset()

    def on_test_epoch_start(self) -> None:
        """Forget the windows of an evaluation before."""
        self.evaluation.reset()

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the evaluated partition; the windows' scores are kept for the tables."""
        with self.evaluation.sync_context():  # later they are on the CPU, from where NCCL gathers nothing
            self.scored = self.evaluation.window_scores()
        metrics = self.evaluation.compute()
        if not metrics["mae"].isfinite():
            log.warning("warning: some scores are not finite; check the weights of the checkpoint")
        self._log_metrics(self.trainer.datamodule.evaluate_on, metrics)  # type: ignore[attr-defined]

    def _log_metrics(self, partition: str, metrics: dict[str, Tensor]) -> None:
        for name, value in metrics.items():
            self.log(f"{partition}/{name}", value.float(), prog_bar=name == "mae")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer and schedule."""
        assert self.optimizer is not None
        optimizer = self.optimizer(self.network.parameters())
        if self.schedule is None:
            return optimizer
        total_steps = int(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": self.schedule.build(optimizer, total_steps)}


def _parts(mean: MeanMetric) -> tuple[Tensor, Tensor]:
    """Weighted sum and sum of weights."""
    assert isinstance(mean.mean_value, Tensor) and isinstance(mean.weight, Tensor)
    return mean.mean_value, mean.weight
