"""What ends or skips a step, which layers are trained in float32, and that nothing else changes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.utils.data import DataLoader

from conftest import RunCommand
from depression_vr.callbacks.precision import PrecisionGuard
from depression_vr.data.datasets import NetworkBatch
from depression_vr.distributed.gathering import of_all_processes
from depression_vr.distributed.strategy import TogetherDDP
from depression_vr.errors import UserError
from depression_vr.learning.loss import ScoreLoss
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.runs.run import Run
from side_by_side import run_function

BF16, FULL = "bf16-mixed", "32-true"
IDS = [f"30{video}_1_Freeform" for video in range(10)]

Weights = dict[str, Tensor]


class Tiny(nn.Module):
    """Two convolutions with batch norm and dropout, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm3d(8)
        self.second = nn.Conv3d(8, 8, 3, padding=1, groups=2)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(8, 1)

    def forward(self, clips: Tensor) -> Tensor:
        x = self.second(self.norm(self.first(clips)).relu()).relu()
        return self.head(self.dropout(x.mean((2, 3, 4)))).squeeze(1)


class Root(nn.Module):
    """Its output is a root, which has no gradient where the clips are black."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))
        self.linear = nn.Linear(3, 4, bias=False)

    def forward(self, clips: Tensor) -> Tensor:
        return self.bias + self.linear(clips.mean((2, 3, 4))).square().sum(1).sqrt()


def batch(number: int, frames: int = 2) -> NetworkBatch:
    """Two clips of videos of their own, whose brightness says the score."""
    generator = torch.Generator().manual_seed(number)
    score = 60 * torch.rand(2, generator=generator)
    clips = torch.randn(2, 3, frames, 6, 6, generator=generator) + score.view(2, 1, 1, 1, 1) / 30 - 1
    return NetworkBatch((clips,), score, torch.arange(2) + 2 * number, torch.zeros(2, dtype=torch.int))


def with_pixels(value: float, of: NetworkBatch) -> NetworkBatch:
    return of._replace(views=(torch.full_like(of.views[0], value),))


def module(network: Callable[[], nn.Module] = Tiny, rate: float = 0.05) -> ScoreRegression:
    torch.manual_seed(0)
    scale = ScoreScale(standardise=True)
    scale.fit(torch.tensor([0.0, 60.0]))
    optimizer = partial(torch.optim.SGD, lr=rate, momentum=0.9)
    return ScoreRegression(network(), scale, ScoreLoss([nn.MSELoss()], "y"), optimizer)


class Batches(pl.LightningDataModule):
    """Given batches, of videos with names."""

    def __init__(self, batches: Sequence[NetworkBatch]) -> None:
        super().__init__()
        self.batches = list(batches)
        self.manifest = SimpleNamespace(table=pd.DataFrame({"video_id": IDS}))

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.batches, batch_size=None)


def fit(
    regression: ScoreRegression,
    batches: Sequence[NetworkBatch],
    guard: PrecisionGuard | None = None,
    precision: str = FULL,
    ckpt_path: Path | None = None,
    **settings: Any,
) -> pl.Trainer:
    settings = {"logger": False, "max_epochs": 1} | settings
    if "plugins" not in settings:
        settings["precision"] = precision
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[guard] if guard else [],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    torch.manual_seed(1)
    trainer.fit(regression, datamodule=Batches(batches), ckpt_path=ckpt_path, weights_only=True)
    return trainer


def weights(regression: ScoreRegression) -> Weights:
    return {name: tensor.clone() for name, tensor in regression.network.state_dict().items()}


def assert_same(ours: Weights, theirs: Weights) -> None:
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name


def without_dropout(regression: ScoreRegression) -> ScoreRegression:
    for layer in regression.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return regression


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings so far."""
    return [record.message for record in caplog.records if record.message.startswith("warning: ")]


def first_change(guard: PrecisionGuard | None, precision: str, name: str) -> Tensor:
    """What one step of gradient descent changes in a parameter."""
    regression = module(rate=1.0)
    before = weights(regression)[name]
    fit(regression, [batch(0)], guard, precision)
    return weights(regression)[name] - before


@pytest.mark.parametrize("name", ["first.weight", "second.weight", "head.weight"])
def test_gradients_on_two_time_steps_are_those_of_float32(name: str) -> None:
    change, expected = (first_change(PrecisionGuard(), precision, name) for precision in (BF16, FULL))
    assert (change - expected).norm() < 0.02 * expected.norm()


def test_the_layers_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = PrecisionGuard()
    fit(module(), [batch(0), batch(1)], guard, BF16, max_epochs=2)
    assert guard.float32_layers == ["first", "second"]
    (warning,) = told(caplog)
    assert warning.endswith(": first, second")


def test_training_in_half_precision_learns_what_float32_learns() -> None:
    losses = {}
    for precision in (BF16, FULL):
        trainer = fit(module(), [batch(0), batch(1)], PrecisionGuard(), precision, max_epochs=15)
        losses[precision] = trainer.callback_metrics["training/loss_epoch"].item()
    first = fit(module(), [batch(0), batch(1)]).callback_metrics["training/loss_epoch"].item()
    assert losses[FULL] < first / 2
    assert losses[BF16] == pytest.approx(losses[FULL], abs=0.05 * first)


@pytest.mark.parametrize(("precision", "frames"), [(FULL, 2), (BF16, 3)])
@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_training_in_which_nothing_is_wrong_stays_the_same(
    precision: str, frames: int, policy: Any
) -> None:
    batches = [batch(number, frames) for number in range(3)]
    guarded, plain, guard = module(), module(), PrecisionGuard(policy)
    fit(guarded, batches, guard, precision, gradient_clip_val=0.1)
    fit(plain, batches, None, precision, gradient_clip_val=0.1)
    assert guard.float32_layers == []
    assert_same(weights(guarded), weights(plain))


def test_after_training_the_network_is_as_it_was_given() -> None:
    regression = module()
    fit(regression, [batch(0)], PrecisionGuard(), BF16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert regression.network.first(batch(0).views[0]).dtype == torch.bfloat16


def test_without_the_check_no_layer_is_put_into_float32() -> None:
    guard = PrecisionGuard(check_arithmetic=False)
    fit(module(), [batch(0, frames=3)], guard, BF16)
    assert guard.float32_layers == []


def test_a_batch_that_the_network_refuses_gets_the_networks_message() -> None:
    one = batch(0)
    small = NetworkBatch((one.views[0][:1, :, :1, :1, :1],), *(part[:1] for part in one[1:]))
    with pytest.raises(UserError, match="too small for the network's batch norms"):
        fit(module(), [small], PrecisionGuard(), BF16)


def test_a_resumed_training_has_the_layers_in_float32_from_its_first_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batches = [batch(0), batch(1)]
    undisturbed, interrupted, resumed = (without_dropout(module()) for _ in range(3))
    fit(undisturbed, batches, PrecisionGuard(), BF16, max_epochs=2)
    fit(interrupted, batches, PrecisionGuard(), BF16).save_checkpoint(tmp_path / "interrupted.ckpt")
    caplog.clear()
    guard = PrecisionGuard()
    fit(resumed, batches, guard, BF16, tmp_path / "interrupted.ckpt", max_epochs=2)
    assert guard.float32_layers == ["first", "second"]
    assert not told(caplog)  # it did not have to search again
    assert_same(weights(resumed), weights(undisturbed))


@pytest.mark.parametrize("precision", [FULL, BF16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_a_loss_that_is_not_finite_ends_the_training(precision: str, value: float) -> None:
    regression = module()
    with pytest.raises(UserError) as caught:
        fit(regression, [batch(0), with_pixels(value, batch(1)), batch(2)], PrecisionGuard(), precision)
    assert caught.value.what == "the loss is not finite (step 1, epoch 0)"
    assert caught.value.where == f"clips of {IDS[2]}, {IDS[3]}"
    assert "optim.optimizer.lr" in caught.value.fix
    assert ("32-true" in caught.value.fix) == (precision == BF16)
    assert all(parameter.isfinite().all() for parameter in regression.parameters())


def test_the_first_parameter_with_a_gradient_that_is_not_finite_is_named() -> None:
    with pytest.raises(UserError) as caught:
        fit(module(Root), [batch(0), with_pixels(0.0, batch(1))], PrecisionGuard())
    assert caught.value.what == "the gradient of linear.weight is not finite (step 1, epoch 0)"
    assert caught.value.where == f"clips of {IDS[2]}, {IDS[3]}"


def test_rows_are_named_where_videos_have_no_names() -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[PrecisionGuard()],
        logger=False,
        enable_checkpointing=False,
        max_epochs=1,
    )
    with pytest.raises(UserError, match="clips of row 4, row 5"):
        trainer.fit(module(), DataLoader([with_pixels(float("nan"), batch(2))], batch_size=None))


def test_accumulated_batches_are_told_apart_by_their_loss() -> None:
    batches = [batch(0), with_pixels(float("nan"), batch(1)), batch(2)]
    with pytest.raises(UserError) as caught:
        fit(module(), batches, PrecisionGuard(), accumulate_grad_batches=3)
    assert caught.value.where == f"clips of {IDS[2]}, {IDS[3]}"


def test_all_accumulated_batches_are_named_where_only_the_gradient_tells() -> None:
    batches = [batch(0), batch(1), with_pixels(0.0, batch(2)), batch(3)]
    with pytest.raises(UserError) as caught:
        fit(module(Root), batches, PrecisionGuard(), accumulate_grad_batches=2)
    assert caught.value.where == f"clips of {', '.join(IDS[4:8])}"
    assert "step 1" in caught.value.what


@pytest.mark.parametrize(("network", "pixels"), [(Tiny, float("nan")), (Root, 0.0)], ids=["loss", "gradient"])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_skipped_step_is_as_if_its_clips_had_not_been_there(
    network: Callable[[], nn.Module], pixels: float, accumulated: int, caplog: pytest.LogCaptureFixture
) -> None:
    good = [batch(number) for number in range(4)]
    bad = [batch(4), with_pixels(pixels, batch(4))][-accumulated:]
    with_bad, without = (
        without_dropout(module(network)) for _ in range(2)
    )  # a skipped step draws all the same
    guard = PrecisionGuard("skip")
    settings: dict[str, Any] = {"accumulate_grad_batches": accumulated, "gradient_clip_val": 1.0}
    skipped = fit(with_bad, [*good[:2], *bad, *good[2:]], guard, **settings)
    left_out = fit(without, good, PrecisionGuard(), **settings)
    assert_same(weights(with_bad), weights(without))
    ours, theirs = (trainer.optimizers[0].state_dict() for trainer in (skipped, left_out))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    for name in ("training/loss_epoch", "training/mae_epoch"):
        assert skipped.callback_metrics[name] == left_out.callback_metrics[name]
    assert guard.skipped_steps == 1
    (warning,) = told(caplog)
    assert IDS[9] in warning
    assert skipped.global_step == left_out.global_step + 1


def test_too_many_skipped_steps_in_a_row_end_the_training() -> None:
    bad = with_pixels(float("nan"), batch(1))
    guard = PrecisionGuard("skip", most_skipped_in_a_row=2)
    fit(module(), [bad, bad, batch(0), bad, bad], guard)
    assert guard.skipped_steps == 4
    with pytest.raises(UserError, match=r"2 steps were skipped in a row, and again the loss is not finite"):
        fit(module(), [bad, bad, bad], PrecisionGuard("skip", most_skipped_in_a_row=2))


def test_steps_skipped_before_an_interrupt_count_after_it(tmp_path: Path) -> None:
    bad = with_pixels(float("nan"), batch(1))
    fit(module(), [batch(0), bad], PrecisionGuard("skip", 1)).save_checkpoint(tmp_path / "interrupted.ckpt")
    resumed = PrecisionGuard("skip", 1)
    with pytest.raises(UserError, match="1 steps were skipped in a row"):
        fit(module(), [bad], resumed, ckpt_path=tmp_path / "interrupted.ckpt", max_epochs=2)
    assert resumed.skipped_steps == 1


def float16(scale: float) -> MixedPrecision:
    return MixedPrecision(
        "16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=100)
    )


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_an_overflow_of_scaled_gradients_is_left_to_the_scaler(
    policy: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    regression, guard = module(), PrecisionGuard(policy)
    logger = CSVLogger(tmp_path, name=None, version="")
    scale = 2.0**24  # the gradients of half-precision maps overflow until it is lower
    trainer = fit(
        regression,
        [batch(number, frames=3) for number in range(5)] * 8,
        guard,
        plugins=float16(scale),
        logger=logger,
        log_every_n_steps=1,
    )
    rows = pd.read_csv(tmp_path / "metrics.csv").dropna(subset=["precision/loss_scale"])
    assert 0 < guard.skipped_steps <= 10
    assert rows["precision/skipped_steps"].tolist() == sorted(rows["precision/skipped_steps"])
    assert rows["precision/skipped_steps"].iloc[-1] == guard.skipped_steps
    assert rows["precision/loss_scale"].iloc[0] == scale
    assert rows["precision/loss_scale"].iloc[-1] == scale / 2**guard.skipped_steps
    assert trainer.callback_metrics["training/loss_epoch"].isfinite()
    assert not told(caplog)


def test_too_many_overflows_in_a_row_end_the_training() -> None:
    with pytest.raises(
        UserError, match=r"3 steps were skipped in a row, and again the gradient of first\.weight"
    ):
        fit(module(), [batch(0, 3)] * 5, PrecisionGuard(most_skipped_in_a_row=3), plugins=float16(2.0**40))


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_forward_pass_that_overflows_is_no_matter_of_the_scale(policy: Any) -> None:
    batches = [batch(0, 3), with_pixels(1e30, batch(1, 3)), batch(2, 3)]
    regression, guard = module(), PrecisionGuard(policy)
    if policy == "raise":
        with pytest.raises(UserError, match="the loss is not finite"):
            fit(regression, batches, guard, plugins=float16(2.0))
    else:
        fit(regression, batches, guard, plugins=float16(2.0))
        assert guard.skipped_steps == 1
        assert all(tensor.isfinite().all() for tensor in weights(regression).values())


def test_the_gradient_norm_is_logged_before_clipping_with_lightnings_own_rows(tmp_path: Path) -> None:
    regression, reference = (without_dropout(module()) for _ in range(2))
    logger = CSVLogger(tmp_path, name=None, version="")
    batches = [batch(number) for number in range(4)]
    fit(
        regression,
        batches,
        PrecisionGuard(),
        logger=logger,
        log_every_n_steps=2,
        gradient_clip_val=1e-9,
    )
    rows = pd.read_csv(tmp_path / "metrics.csv").dropna(subset=["precision/gradient_norm"])
    assert rows["step"].tolist() == [1, 3]
    assert rows["training/loss_step"].notna().all()
    assert "precision/loss_scale" not in rows
    assert reference.loss is not None
    y = reference.network(*batches[1].views)  # clipped steps leave the weights where they are
    reference.loss(y, batches[1].score, reference.scale).backward()
    gradients = [parameter.grad for parameter in reference.parameters() if parameter.grad is not None]
    expected = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
    assert rows["precision/gradient_norm"].iloc[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("settings", [{"policy": "ignore"}, {"most_skipped_in_a_row": 0}])
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        PrecisionGuard(**settings)


def processes_decide_together(folder: Path) -> None:
    rank = dist.get_rank()
    good = [batch(0), batch(1), batch(2), batch(3)]
    bad = [good[0], with_pixels(float("nan"), good[1]), *good[2:]]

    def together(regression: ScoreRegression, batches: list[NetworkBatch], *settings: Any) -> None:
        fit(
            regression,
            batches,
            *settings,
            devices=2,
            strategy=TogetherDDP(folder),
            use_distributed_sampler=False,
        )

    skipping, guard = module(), PrecisionGuard("skip")
    together(skipping, bad if rank == 1 else good, guard)
    assert guard.skipped_steps == 1
    assert len({of.sum().item() for of in of_all_processes(skipping.network.head.weight)}) == 1
    guard = PrecisionGuard()
    together(module(), [batch(0, frames=3 - rank)], guard, BF16)
    assert guard.float32_layers == ["first", "second"]  # which only the second process could see
    if rank == 1:  # which the gradients of no process show
        good[1] = batch(4)._replace(score=torch.full((2,), float("inf")))
    regression = module()
    regression.loss = ScoreLoss([nn.SmoothL1Loss()], "y")  # whose gradient is finite everywhere
    with pytest.raises(UserError) as caught:
        together(regression, good, PrecisionGuard())
    assert caught.value.what == "the loss is not finite (step 1, epoch 0)"
    assert caught.value.where == f"clips of {IDS[8]}, {IDS[9]}"


def test_processes_decide_together(tmp_path: Path) -> None:
    assert run_function(2, processes_decide_together, tmp_path) == [0, 0]


RUN = (
    "data.clip_length=8", "data.frame_step=1", "data.size=16", "data.num_workers=0", "data.batch_size=2",
    "model.base_planes=2", "model.layers=[1,1,1,1]", "trainer=cpu", "trainer.max_epochs=1", "logger=none",
)  # fmt: skip


def test_a_run_that_diverges_names_the_clips(command: RunCommand, csv_corpus: Path) -> None:
    corpus = ("data=csv", f"data.table={csv_corpus}")
    outcome = command("train", *corpus, *RUN, "optim.optimizer.lr=1e30", "trainer.max_epochs=9")
    assert outcome.code == 2
    assert "is not finite (step " in outcome.err
    assert "_1_Freeform" in outcome.err or "_1_Northwind" in outcome.err
    assert "lower optim.optimizer.lr" in outcome.err


def test_half_precision_on_a_cpu_needs_the_guard(command: RunCommand, csv_corpus: Path) -> None:
    arguments = ("data=csv", f"data.table={csv_corpus}", *RUN, f"precision={BF16}")
    assert command("train", *arguments, "hydra.run.dir=run").code == 0
    state = torch.load(Run(Path("run")).checkpoints / "last.ckpt", weights_only=True)["callbacks"][
        "PrecisionGuard"
    ]
    assert "stages.3.0.attention.temporal_features.conv" in state["float32_layers"]
    for off in ("callbacks.precision=null", "callbacks.precision.check_arithmetic=false"):
        outcome = command("train", *arguments, off)
        assert outcome.code == 2
        assert "config keys precision and callbacks.precision" in outcome.err
        assert "Traceback" not in outcome.err
    whole = command("train", *arguments, "precision=bf16-true")
    assert whole.code == 2
    assert "precision=bf16-mixed" in whole.err
