"""Every config in conf/ and every recipe in experiments/ composes to a run that can be built."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import depression_vr.configs  # noqa: F401, its resolvers
from depression_vr import assembly
from depression_vr.building import build
from depression_vr.errors import UserError

ROOT = Path(__file__).parents[1]
RUNTIME = ["run_dir=run", "name=run"]
"""What Hydra's runtime would fill in."""


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


def composed(*overrides: str) -> DictConfig:
    """The config of a training, every interpolation resolved."""
    with initialize_config_dir(str(ROOT / "conf")):
        config = compose("train", [*RUNTIME, "network=network", *overrides])
    OmegaConf.resolve(config)
    return config


def recipe(name: str) -> DictConfig:
    return composed(f"experiment={name}")


RECIPES = sorted(path.stem for path in (ROOT / "experiments" / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("model", options("model"))
@pytest.mark.parametrize("optim", options("optim"))
def test_every_network_builds_with_every_recipe_of_learning(model: str, optim: str) -> None:
    small = ["model.base_planes=2"] if model == "sta_drn" else []
    module = assembly.build_regression(composed(f"model={model}", f"optim={optim}", *small))
    assert module.loss is not None
    assert module.optimizer is not None


@pytest.mark.parametrize("data", sorted({*options("data")} - {"clips"}))
def test_every_corpus_composes_with_the_clips_of_the_network(data: str) -> None:
    table = ["data.table=videos.csv"] if data == "csv" else []
    config = composed(f"data={data}", *table)
    expected = (8, 2, 64) if data == "synthetic" else (64, 3, 224)
    assert (config.data.clip_length, config.data.frame_step, config.data.size) == expected


@pytest.mark.parametrize("wrong", ["max_epochs=0", "max_epochs=-5", "max_epochs=1.5", "gradient_clip_val=-1"])
def test_what_lightning_would_take_for_something_else_is_refused(wrong: str) -> None:
    config = composed("trainer=cpu", "callbacks=default", "logger=none", f"trainer.{wrong}")
    with pytest.raises(UserError) as caught:
        assembly.build_trainer(config)
    assert caught.value.where == f"config key trainer.{wrong.partition('=')[0]}"


@pytest.mark.parametrize("rate", ["abc", "null", "true"])
def test_what_is_no_learning_rate_is_refused(rate: str) -> None:
    with pytest.raises(UserError) as caught:
        assembly.build_regression(composed("model=mean_baseline", f"optim.optimizer.lr={rate}"))
    assert caught.value.where == "config key optim.optimizer.lr"


@pytest.mark.parametrize(
    "choice", [f"{group}={option}" for group in ("callbacks", "logger") for option in options(group)]
)
def test_callbacks_and_loggers_build(choice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = composed(choice)
    for part in (*config.callbacks.values(), *config.logger.values()):
        build(part)


@pytest.mark.parametrize("trainer", ["auto", "cpu"])
def test_trainers_build(trainer: str) -> None:
    config = composed(f"trainer={trainer}", "logger=none", "trainer.accelerator=cpu")
    assert assembly.build_trainer(config).precision == "32-true"


def test_new_memory_is_not_filled_on_a_cpu() -> None:
    before = torch.get_deterministic_debug_mode()
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        assembly.build_trainer(composed("trainer=cpu", "logger=none"))
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.set_deterministic_debug_mode(before)


def test_debug_takes_one_batch() -> None:
    assert composed("debug=one_batch").trainer.limit_train_batches == 1


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds(name: str) -> None:
    assembly.build_regression(recipe(name))


@pytest.mark.parametrize("corpus", ["avec2013", "avec2014"])
def test_the_paper_recipe_is_the_released_one(corpus: str) -> None:
    config = recipe(f"sta_drn_{corpus}_paper")
    released: dict[str, Any] = {
        "optim.optimizer._target_": "torch.optim.Adam",
        "optim.optimizer.lr": 5e-3,
        "optim.schedule.scheduler.T_0": 50,
        "optim.schedule.scheduler.T_mult": 2,
        "optim.schedule.interval": "epoch",
        "optim.loss.compare": "score",
        "data.batch_size": 5,
        "data.label_noise": 1,
        "data.clip_length": 64,
        "data.frame_step": 3,
        "data.size": 224,
        "trainer.max_epochs": 200,
        "trainer.precision": "32-true",
        "trainer.gradient_clip_val": None,
        "trainer.check_val_every_n_epoch": 1,
        "model.attention": "sta_fused",
    }
    assert {key: OmegaConf.select(config, key) for key in released} == released


@pytest.mark.parametrize("corpus", ["avec2013", "avec2014"])
def test_the_updated_recipe_is_the_released_one(corpus: str) -> None:
    config = recipe(f"sta_drn_{corpus}_updated")
    released: dict[str, Any] = {
        "optim.optimizer._target_": "torch.optim.Adam",
        "optim.optimizer.lr": 1e-6,
        "optim.loss.compare": "y",
        "data.batch_size": 5,
        "data.label_noise": 0,
        "data.drop_last": True,
        "trainer.max_epochs": 500,
        "trainer.accumulate_grad_batches": 10,
        "trainer.precision": "16-mixed",
        "trainer.gradient_clip_val": None,
        "trainer.check_val_every_n_epoch": 10,
    }
    assert {key: OmegaConf.select(config, key) for key in released} == released
    assert "schedule" not in config.optim
    terms = [term._target_ for term in config.optim.loss.terms]
    assert terms == ["torch.nn.MSELoss", "torch.nn.SmoothL1Loss"]


@pytest.mark.parametrize(
    "command",
    [
        "evaluate",
        "reproduce",
        "runs",
        "compare",
        "clips",
        "synthesize",
        "experiments",
        "bench",
        "wandb_sync",
        "wandb_dashboard",
    ],
)
def test_every_command_composes(command: str) -> None:
    with initialize_config_dir(str(ROOT / "conf")):
        compose(command)
