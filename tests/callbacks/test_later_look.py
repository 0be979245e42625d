"""A step that is looked at only when the next one is there, as on a GPU: whole trainings, on the CPU."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader

from depression_vr.callbacks.not_finite import NotFinite, Part, StepFlags
from depression_vr.callbacks.precision import PrecisionGuard
from depression_vr.data.datasets import NetworkBatch
from depression_vr.errors import UserError
from depression_vr.learning.loss import ScoreLoss
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.score_regression import ScoreRegression

NAN = float("nan")


class LooksLater(PrecisionGuard):
    """As on a GPU, wherever the guard does not have to look at once for other reasons."""

    def _is_on_gpu(self, flags: StepFlags) -> bool:
        return True


class Counting(pl.Callback):
    """How many steps were made, and how many validations."""

    def __init__(self) -> None:
        self.steps = self.validations = 0

    def on_before_zero_grad(self, trainer: pl.Trainer, *_: Any) -> None:
        self.steps = trainer.global_step

    def on_validation_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.validations += 1


def batches(pixels: Sequence[float]) -> DataLoader[Any]:
    """One batch per pixel value, of the video that has its number."""
    of_batches = [
        NetworkBatch(
            (torch.full((2, 3, 1, 2, 2), value),),
            torch.tensor([10.0, 20.0]),
            torch.full((2,), number),
            torch.zeros(2, dtype=torch.int),
        )
        for number, value in enumerate(pixels)
    ]
    return DataLoader(of_batches, batch_size=None)


def ended(folder: Path, pixels: Sequence[float], *callbacks: pl.Callback, **settings: Any) -> str:
    """The error that ends a training, which may leave no file with weights that are not finite."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0))
    module = ScoreRegression(
        network,
        ScoreScale(factor=1),
        ScoreLoss([nn.MSELoss()], compare="score"),
        partial(torch.optim.SGD, lr=1e-3),
    )
    of_all = {
        "max_epochs": 2,
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "default_root_dir": folder,
    }
    guard = LooksLater(check_arithmetic=False)
    checkpoints = any(isinstance(each, ModelCheckpoint) for each in callbacks)
    trainer = pl.Trainer(
        **(of_all | {"enable_checkpointing": checkpoints} | settings), callbacks=[guard, *callbacks]
    )
    with pytest.raises(UserError) as caught:
        trainer.fit(module, batches(pixels), batches([1.0]) if settings.get("limit_val_batches") else None)
    for file in folder.rglob("*.ckpt"):
        weights = torch.load(file, weights_only=True)["state_dict"].values()
        assert all(tensor.isfinite().all() for tensor in weights), file
    return f"{caught.value.what}; {caught.value.where}"


@pytest.mark.parametrize(
    ("pixels", "settings", "batch", "step"),
    [
        ([1.0, NAN, 1.0, 1.0], {}, 1, 1),
        ([1.0, 1.0, NAN], {}, 2, 2),
        ([1.0, NAN, 1.0, 1.0], {"max_steps": 2}, 1, 1),
        ([1.0, 1.0, NAN], {"accumulate_grad_batches": 2}, 2, 1),
    ],
    ids=["amid an epoch", "at its end", "at the end of all", "accumulated, at the end"],
)
def test_a_training_ends_and_names_the_step_that_was_wrong(
    tmp_path: Path, pixels: list[float], settings: dict[str, Any], batch: int, step: int
) -> None:
    error = ended(tmp_path, pixels, **settings)
    assert error == f"the loss is not finite (step {step}, epoch 0); clips of row {batch}"


def test_no_more_than_one_step_is_made_after_it(tmp_path: Path) -> None:
    counting = Counting()
    ended(tmp_path, [1.0, NAN, 1.0, 1.0, 1.0], counting)
    assert counting.steps == 2


def test_no_wrong_weights_are_validated(tmp_path: Path) -> None:
    counting = Counting()
    ended(tmp_path, [1.0, NAN], counting, limit_val_batches=1)
    assert counting.validations == 0


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({"save_on_train_epoch_end": True}, 0),
        ({"every_n_train_steps": 1}, 1),
        ({"every_n_train_steps": 1, "save_weights_only": True}, 1),
        ({"save_on_exception": True}, 0),
    ],
    ids=["epochs", "steps", "weights alone", "exceptions"],
)
def test_no_wrong_weights_are_written(tmp_path: Path, settings: dict[str, Any], written: int) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "checkpoints", save_top_k=-1, **settings)
    error = ended(tmp_path, [1.0, NAN], checkpoint)
    assert error == "the loss is not finite (step 1, epoch 0); clips of row 1"
    assert len(list(tmp_path.rglob("*.ckpt"))) == written


def test_the_norm_may_be_all_that_is_too_large() -> None:
    module = ScoreRegression(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), ScoreScale(factor=1))
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, 0.8e19)  # float32 ends at 3.4e38, the square of 1.8e19
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, barebones=True)
    found = StepFlags(trainer, module, [Part(torch.tensor([0]), torch.tensor(True))])
    values = found.finite.tolist()
    assert values == [True, True, True, True, True, False]
    assert "the gradient of all parameters together" in NotFinite(trainer, found, values).what
