"""The effective batch, and the learning rate that it makes."""

import pytest
from omegaconf import DictConfig, OmegaConf

from depression_vr import assembly
from depression_vr.configs import compose
from depression_vr.effective_batch import described, effective_batch, with_scaled_rate
from depression_vr.errors import UserError
from depression_vr.settings import settings_fingerprint

RECIPE = ("run_dir=run", "new_run_dir=run", "name=run", "network=network", "model.base_planes=2")
TWELVE = ("trainer=ddp_sim", "trainer.devices=3", "trainer.accumulate_grad_batches=4", "data.batch_size=5")


def composed(*overrides: str) -> DictConfig:
    return compose("train", [*RECIPE, *overrides])


def test_the_effective_batch_is_of_devices_and_accumulation() -> None:
    batch = effective_batch(composed(*TWELVE))
    assert batch.as_dict() == {"per_device": 5, "devices": 3, "accumulation": 4, "total": 60}


@pytest.mark.parametrize(("rule", "rate"), [("none", 1e-3), ("linear", 12e-3), ("sqrt", 12**0.5 * 1e-3)])
def test_the_rate_follows_the_rule_and_the_schedule_the_rate(rule: str, rate: float) -> None:
    config = with_scaled_rate(composed(*TWELVE, f"scale_lr={rule}"))
    assert config.optim.optimizer.lr == pytest.approx(rate)
    module = assembly.build_regression(config)
    assert module.optimizer is not None and module.schedule is not None
    optimizer = module.optimizer(module.network.parameters())
    module.schedule.build(optimizer, 10)
    assert optimizer.param_groups[0]["max_lr"] == pytest.approx(rate)
    assert f"learning rate: {config.optim.optimizer.lr}" in described(config)
    assert f"scale_lr={rule}" in described(config) or rule == "none"


def test_a_rate_is_scaled_once() -> None:
    config = with_scaled_rate(composed(*TWELVE, "scale_lr=linear"))
    recorded = OmegaConf.create(OmegaConf.to_yaml(config, resolve=True))
    assert isinstance(recorded, DictConfig)
    assert with_scaled_rate(recorded) == recorded
    assert recorded.unscaled_lr == 1e-3
    assert settings_fingerprint(recorded) == settings_fingerprint(composed(*TWELVE, "scale_lr=linear"))


def test_scaling_counts_in_the_fingerprint_where_it_changes_the_rate() -> None:
    assert settings_fingerprint(composed(*TWELVE, "scale_lr=sqrt")) != settings_fingerprint(composed(*TWELVE))
    assert settings_fingerprint(composed("scale_lr=sqrt")) == settings_fingerprint(composed())


@pytest.mark.parametrize(
    ("overrides", "where"),
    [
        (("scale_lr=double",), "scale_lr"),
        (("scale_lr=null",), "scale_lr"),
        (("scale_lr=linear", "optim.optimizer.lr=fast"), "optim.optimizer.lr"),
        (("scale_lr=linear", "~optim.optimizer.lr", "optim.schedule=null"), "optim.optimizer.lr"),
        (("scale_lr=linear", "optim.schedule.scheduler.max_lr=0.1"), "optim.schedule.scheduler.max_lr"),
        (("scale_lr=linear", "trainer.accumulate_grad_batches=often"), "trainer.accumulate_grad_batches"),
        (("scale_lr=linear", "data.batch_size=big"), "data.batch_size"),
    ],
)
def test_what_cannot_be_scaled_is_refused(overrides: tuple[str, ...], where: str) -> None:
    with pytest.raises(UserError) as caught:
        with_scaled_rate(composed(*overrides))
    assert where in caught.value.where
