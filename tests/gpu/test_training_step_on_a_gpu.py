"""Training on a GPU: bytes go over the bus, and no step waits for the device."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from depression_vr import assembly
from depression_vr.configs import compose
from depression_vr.errors import UserError

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

FIRST = 2  # steps that may wait: constants go to the device, kernels are chosen


class NoWaiting(pl.Callback):
    """Makes every wait of the processor for the device an error, between two ends of steps of one epoch."""

    def __init__(self) -> None:
        self.steps = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps += batch_idx >= FIRST
        is_last = batch_idx + 1 == trainer.num_training_batches
        torch.cuda.set_sync_debug_mode("error" if batch_idx + 1 >= FIRST and not is_last else "default")


@pytest.fixture(autouse=True)
def _waiting_allowed_afterwards() -> Iterator[None]:
    yield
    torch.cuda.set_sync_debug_mode("default")


def training(csv_corpus: Path, folder: Path, *overrides: str) -> DictConfig:
    return compose(
        "train",
        [
            *("model=sta_drn", "model.base_planes=4", "model.layers=[1,1]", "name=run", "network=sta_drn"),
            *("data=csv", f"data.table={csv_corpus}", "data.clip_length=4", "data.size=32"),
            *("data.batch_size=1", "data.num_workers=1", "data.protocol=train_dev_merged"),
            *("trainer=gpu", "trainer.max_epochs=1", "trainer.log_every_n_steps=1000", "deterministic=false"),
            *("callbacks.progress=null", "logger=csv", f"run_dir={folder}"),
            *overrides,
        ],
    )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_no_step_waits_for_the_device(csv_corpus: Path, tmp_path: Path, precision: str) -> None:
    config = training(csv_corpus, tmp_path / "run", f"precision={precision}")
    datamodule = assembly.build_datamodule(config)
    module = assembly.build_regression(config)
    module.scale.fit(datamodule.training_labels())
    trainer = assembly.build_trainer(config)
    watch = NoWaiting()
    trainer.callbacks.append(watch)  # type: ignore[attr-defined]
    trainer.fit(module, datamodule)
    assert watch.steps == trainer.num_training_batches - FIRST > 3


def test_clips_cross_the_bus_as_bytes_from_pinned_memory(csv_corpus: Path, tmp_path: Path) -> None:
    datamodule = assembly.build_datamodule(training(csv_corpus, tmp_path / "run"))
    batch = next(iter(datamodule.train_dataloader()))
    assert batch.clips.dtype == torch.uint8
    assert all(tensor.is_pinned() for tensor in batch)
    moved = datamodule.transfer_batch_to_device(batch, torch.device("cuda", 0), 0)
    assert moved.clips.dtype == torch.uint8 and moved.clips.is_cuda
    views = datamodule.on_after_batch_transfer(moved, 0).views
    assert all(view.is_contiguous(memory_format=torch.channels_last_3d) for view in views)


class Spoiling(pl.Callback):
    """Makes the labels of the last batch of an epoch not finite."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 == trainer.num_training_batches:
            batch.score.fill_(float("nan"))


def test_a_last_step_that_is_not_finite_ends_the_training_and_is_in_no_checkpoint(
    csv_corpus: Path, tmp_path: Path
) -> None:
    config = training(csv_corpus, tmp_path / "run")
    datamodule = assembly.build_datamodule(config)
    module = assembly.build_regression(config)
    module.scale.fit(datamodule.training_labels())
    trainer = assembly.build_trainer(config)
    trainer.callbacks.insert(0, Spoiling())  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="the loss is not finite"):
        trainer.fit(module, datamodule)
    for file in tmp_path.rglob("*.ckpt"):  # of before that step
        weights = torch.load(file, weights_only=True)["state_dict"].values()
        assert all(tensor.isfinite().all() for tensor in weights), file
    assert not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize("wanted", [True, False])
def test_tf32_is_what_the_config_says(csv_corpus: Path, tmp_path: Path, wanted: bool) -> None:
    precision, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        assembly.build_trainer(training(csv_corpus, tmp_path / "run", f"tf32={str(wanted).lower()}"))
        assert torch.get_float32_matmul_precision() == ("high" if wanted else "highest")
        assert torch.backends.cudnn.allow_tf32 == wanted
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = convolutions
