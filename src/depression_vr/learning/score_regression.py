"""Score regression as one LightningModule for every network."""

import logging
import re
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

_TORCH_CANNOT_NORMALISE = re.compile("Expected more than 1 value per channel when training[^'\n]*")


class ScoreRegression(pl.LightningModule):
    """Trains and evaluates a network that puts out one number per clip.

    Args:
        network: views ``(B, 3, T, H, W)``, one argument per region of the face, to y ``(B,)``.
        scale: between y and score.
        loss: of (y, score, scale); not needed to evaluate.
        optimizer: builds the optimizer from the parameters; not needed to evaluate.
        schedule: of the learning rate; constant without.
        for_evaluation: gives what evaluates as a network does, whose weights do not change meanwhile; the
            network itself without.

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
        for_evaluation: Callable[[nn.Module], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last_3d)
        self.scale = scale
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.for_evaluation = for_evaluation
        self._evaluates: Callable[..., Tensor] | None = None  # during an evaluation
        self.training_loss = MeanMetric(nan_strategy="disable")
        self.training_mae = MeanMetric(nan_strategy="disable")
        self.development = VideoMetrics()
        self.evaluation = VideoMetrics()
        self.scored: WindowScores | None = None
        self._compiled: Callable[..., Tensor] | None = None

    def compile_training(self) -> None:
        """Let the training pass the network through torch.compile, at its first step.

        Evaluation computes as before, and so does everything else that calls the network.
        """
        self._compiled = torch.compile(self.network.forward)

    def forward(self, *views: Tensor) -> Tensor:
        """Scores in points, ``(B,)``, of normalised views ``(B, 3, T, H, W)``."""
        return self.scale.score(self.network(*views).float())

    def training_step(self, batch: NetworkBatch, batch_idx: int) -> Tensor:
        """Loss of one batch.

        Raises:
            UserError: the batch is too small for the network's batch norms, or it does not put out one number
                per clip.
        """
        assert self.loss is not None
        try:
            y = (self._compiled or self.network)(*batch.views)
        except (ValueError, RuntimeError) as refusal:  # torch.compile puts it into one of its own
            found = _TORCH_CANNOT_NORMALISE.search(str(refusal))
            if found is None:
                raise
            raise UserError(
                f"a batch of {len(batch.score)} is too small for the network's batch norms: {found[0]}",
                where="config keys data.batch_size and data.drop_last",
                fix="use larger batches, and data.drop_last=true where only the last of an epoch is so small",
            ) from refusal
        y = _one_per_clip(y, batch)
        loss: Tensor = self.loss(y, batch.score, self.scale)
        error = mae(self.scale.score(y.detach()), batch.score)
        self.log("training/loss_step", loss.detach())
        self.log("training/mae_step", error)
        self._show(error)
        # each clip counts once; weights, as numbers, would go to the device and be waited for
        self.training_loss.update(loss.detach().expand(len(batch.score)))
        self.training_mae.update(error.expand(len(batch.score)))
        return loss

    def _show(self, error: Tensor) -> None:
        """Show the batch's MAE in the progress bar: at every step on a CPU, else with Lightning's rows."""
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if error.device.type == "cpu" or (every and (self.trainer.global_step + 1) % every == 0):
            # on the processor, for Lightning reads it at every step and would wait for a GPU each time
            self.log("MAE", error.cpu(), prog_bar=True, logger=False)

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
        if self._evaluates is None:  # here, where the trainer's precision holds
            network = self.for_evaluation(self.network) if self.for_evaluation else self.network
            self._evaluates = network.__call__  # a module would become part of this one, and of its weights
        scores = self.scale.score(_one_per_clip(self._evaluates(*batch.views), batch))
        metrics.update(batch.video, batch.window, scores, batch.score)

    def on_validation_epoch_start(self) -> None:
        """Evaluate the current weights."""
        self._evaluates = None

    def on_validation_epoch_end(self) -> None:
        """Log the development partition's metrics over videos.

        Raises:
            UserError: training has diverged.
        """
        self._evaluates = None
        metrics = self.development.compute()
        if not metrics["mae"].isfinite():
            raise self._diverged("development partition", "scores are")
        self._log_metrics("development", metrics)
        self.development.reset()

    def on_test_epoch_start(self) -> None:
        """Forget the windows of an evaluation before, and evaluate the current weights."""
        self.evaluation.reset()
        self._evaluates = None

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the evaluated partition; the windows' scores are kept for the tables."""
        self._evaluates = None
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


def _one_per_clip(y: Tensor, batch: NetworkBatch) -> Tensor:
    """What the network puts out, as float32; a loss would broadcast ``(B, 1)`` over all pairs of clips."""
    if y.shape != batch.score.shape:
        raise UserError(
            f"the network puts out {tuple(y.shape)} for {len(batch.score)} clips, "
            f"and one number per clip is wanted: {tuple(batch.score.shape)}",
            where="config key model",
            fix="let its forward return (B,): .squeeze(-1) behind nn.Linear(width, 1)",
        )
    return y.float()


def _parts(mean: MeanMetric) -> tuple[Tensor, Tensor]:
    """Weighted sum and sum of weights."""
    assert isinstance(mean.mean_value, Tensor) and isinstance(mean.weight, Tensor)
    return mean.mean_value, mean.weight
