"""Guards a training against numbers that are not finite and against wrong arithmetic."""

import logging
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.optim import Optimizer

from depression_vr.callbacks.not_finite import LaterLook, NotFinite, Part, StepFlags
from depression_vr.callbacks.statistics import Statistics
from depression_vr.data.datasets import NetworkBatch
from depression_vr.errors import UserError
from depression_vr.models.arithmetic import wrong_convolutions
from depression_vr.models.float32 import Convolution, autocasts, train_as_autocast_says, train_in_float32

log = logging.getLogger(__name__)


class PrecisionGuard(pl.Callback):
    """Finds the first loss or gradient that is not finite, and the layers that half precision gets wrong.

    On the first training batch in mixed precision the weight gradient of every convolution is compared with
    that in float32. Layers with wrong ones are trained in float32 from then on, in a resumed run from its
    first step.

    Logged with Lightning's own rows: ``precision/gradient_norm`` of all gradients before they are clipped,
    ``precision/skipped_steps`` so far and, in float16, ``precision/loss_scale``.

    A step whose gradients overflow in float16 while its loss is finite is skipped by the loss scaler, which
    then lowers its scale. That is normal when a training begins: such a step is counted, no more.

    Args:
        policy: what follows a loss or gradient that is not finite. ``raise`` ends the training. ``skip``
            leaves the step out: weights, state of the optimizer, statistics of batch norms and means over the
            epoch are as if its clips had not been there; learning rate and number of steps go on.
        most_skipped_in_a_row: one more, under either policy, ends the training.
        check_arithmetic: compare weight gradients.

    Attributes:
        float32_layers: names within the network of the layers that are trained in float32.
        skipped_steps: how many, so far.
    """

    def __init__(
        self,
        policy: Literal["raise", "skip"] = "raise",
        most_skipped_in_a_row: int = 10,
        check_arithmetic: bool = True,
    ) -> None:
        if policy not in ("raise", "skip"):
            raise ValueError(f"policy={policy!r} is unknown; known are raise, skip")
        if most_skipped_in_a_row < 1:
            raise ValueError(f"most_skipped_in_a_row={most_skipped_in_a_row} must be 1 or more")
        self.policy = policy
        self.most_skipped_in_a_row = most_skipped_in_a_row
        self.check_arithmetic = check_arithmetic
        self.float32_layers: list[str] = []
        self.skipped_steps = 0
        self._skipped_in_a_row = 0
        self._checked_on = ""  # processor
        self._video = torch.empty(0)  # of the batch that is being learned
        self._parts: list[Part] = []  # of the step that is being made
        self._later = LaterLook()
        self._error: UserError | None = None  # of a later look
        self._before: Statistics | None = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on with."""
        return {
            "float32_layers": list(self.float32_layers),
            "checked_on": self._checked_on,
            "skipped_steps": self.skipped_steps,
            "skipped_in_a_row": self._skipped_in_a_row,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.float32_layers = list(state_dict["float32_layers"])
        self._checked_on = state_dict["checked_on"]
        self.skipped_steps = state_dict["skipped_steps"]
        self._skipped_in_a_row = state_dict["skipped_in_a_row"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the layers into float32 that a checkpoint says are wrong."""
        self._parts, self._later, self._error = [], LaterLook(), None
        for convolution in self._float32_convolutions(pl_module):
            train_in_float32(convolution)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the network as it was given."""
        for convolution in self._float32_convolutions(pl_module):
            train_as_autocast_says(convolution)

    def _float32_convolutions(self, pl_module: pl.LightningModule) -> list[Convolution]:
        layers = [_network(pl_module).get_submodule(name) for name in self.float32_layers]
        return [layer for layer in layers if isinstance(layer, Convolution)]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: NetworkBatch, batch_idx: int
    ) -> None:
        """Check the arithmetic on the first batch; keep what a skipped step would have to give back."""
        if self.check_arithmetic and self._checked_on != _processor(pl_module.device):
            self._check(trainer, pl_module, batch)
        if self.policy == "skip" and not self._parts:
            self._before = Statistics(pl_module)
        self._video = batch.video

    def _check(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: NetworkBatch) -> None:
        network, device = _network(pl_module), batch.views[0].device
        with trainer.precision_plugin.forward_context():
            if not autocasts(device):
                return
            half = str(torch.get_autocast_dtype(device.type)).removeprefix("torch.")
            try:
                wrong = wrong_convolutions(network, batch.views)
            except (ValueError, FloatingPointError) as refusal:
                # a batch that is too small, of which the step says so, or that overflows: the next may do
                log.debug("the arithmetic is not checked yet: %s", refusal)
                wrong = None
        if not trainer.strategy.reduce_boolean_decision(wrong is not None):
            return
        names = [name for name, _ in network.named_modules()]
        found = torch.tensor([name in (wrong or ()) for name in names], dtype=torch.int, device=device)
        anywhere = torch.as_tensor(trainer.strategy.reduce(found, reduce_op="max")).tolist()
        known = set(self.float32_layers)  # on another processor, before a resume
        self.float32_layers = [
            name for name, is_wrong in zip(names, anywhere, strict=True) if is_wrong or name in known
        ]
        self._checked_on = _processor(pl_module.device)
        for convolution in self._float32_convolutions(pl_module):
            train_in_float32(convolution)
        if self.float32_layers:
            log.warning(
                "warning: the weight gradients of %d convolutions are wrong in %s on this device, or known "
                "to be on some processor; these layers are trained in float32: %s",
                len(self.float32_layers),
                half,
                ", ".join(self.float32_layers),
            )

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Note whether the batch's loss is finite, without waiting for the device."""
        self._parts.append(Part(self._video, loss.detach().isfinite()))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Let the step happen, skip it or end the training; the same in all processes.

        Raises:
            UserError: the training should not go on.
        """
        parts, self._parts = self._parts, []
        flags = StepFlags(trainer, pl_module, parts)
        if self._looks_later(trainer, flags):
            self._look_back(trainer)
            self._later.keep(flags)
        else:
            finite = flags.finite.tolist()
            if trainer.strategy.reduce_boolean_decision(all(finite)):
                self._skipped_in_a_row = 0
            else:
                self._skip(trainer, pl_module, NotFinite(trainer, flags, finite))
        self._log(trainer, pl_module, flags.norm)

    def _looks_later(self, trainer: pl.Trainer, flags: StepFlags) -> bool:
        """Whether a step may happen before it is known if it should: the next one then ends the training.

        A step that could be left out has to wait for the device. So do those of several processes, which
        Lightning lets agree at every step anyway, of a loss scaler, which itself waits, and those behind
        which weights alone may be written, of which callbacks are not told.
        """
        writes_untold = any(
            isinstance(callback, ModelCheckpoint) and callback.save_weights_only
            for callback in trainer.checkpoint_callbacks
        )
        waits_anyway = trainer.world_size > 1 or _scaler(trainer) is not None or writes_untold
        return self.policy == "raise" and not waits_anyway and self._is_on_gpu(flags)

    def _is_on_gpu(self, flags: StepFlags) -> bool:
        return flags.finite.is_cuda

    def _look_back(self, trainer: pl.Trainer) -> None:
        """End the training if the step before should not have happened, also when asked once more."""
        kept = self._later.take()
        if kept is not None and not all(kept[1]):
            self._error = NotFinite(trainer, *kept).error()
        if self._error is not None:
            raise self._error

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate no weights of a step that should not have happened.

        Raises:
            UserError: there was such a step.
        """
        self._look_back(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The epoch's last step has no next one.

        Raises:
            UserError: it should not have happened.
        """
        self._look_back(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write no weights of a step that should not have happened, nor after the error about it.

        Raises:
            UserError: there was such a step.
        """
        self._look_back(trainer)

    def _skip(self, trainer: pl.Trainer, pl_module: pl.LightningModule, found: NotFinite) -> None:
        overflows = not found.in_loss and _scaler(trainer) is not None
        if self.policy == "raise" and not overflows:
            raise found.error()
        if self._skipped_in_a_row == self.most_skipped_in_a_row:
            raise found.error(f"{self._skipped_in_a_row} steps were skipped in a row, and again ")
        self._skipped_in_a_row += 1
        self.skipped_steps += 1
        if not overflows:
            log.warning("warning: skipped a step: %s; %s", found.what, found.where)
            assert self._before is not None
            self._before.restore()
        pl_module.zero_grad()  # an optimizer leaves weights without gradients, and their state, alone

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule, norm: Tensor) -> None:
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not every or (trainer.global_step + 1) % every:
            return
        values: dict[str, Tensor | int | float] = {"gradient_norm": norm, "skipped_steps": self.skipped_steps}
        scaler = _scaler(trainer)
        if scaler is not None:
            values["loss_scale"] = scaler.get_scale()
        for name, value in values.items():
            pl_module.log(f"precision/{name}", value, on_step=True, on_epoch=False)


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {torch.backends.cpu.get_cpu_capability()}"


def _network(pl_module: pl.LightningModule) -> nn.Module:
    network = pl_module.network
    assert isinstance(network, nn.Module)
    return network


def _scaler(trainer: pl.Trainer) -> torch.amp.GradScaler | None:
    scaler: torch.amp.GradScaler | None = getattr(trainer.precision_plugin, "scaler", None)
    return scaler


def float32_layers(trainer: pl.Trainer) -> list[str]:
    """Names of the layers that were trained in float32 although the training was in half precision."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    guards = [each for each in callbacks if isinstance(each, PrecisionGuard)]
    return [layer for guard in guards for layer in guard.float32_layers]
