"""The fingerprint of settings: the same for every seed, machine and folder, another for any other setting."""

from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from depression_vr import assembly
from depression_vr.configs import compose
from depression_vr.errors import UserError
from depression_vr.settings import run_fingerprint, settings_fingerprint

RECIPE = ("run_dir=run", "name=run", "network=network", "experiment=mean_baseline_synthetic")


def composed(*overrides: str) -> DictConfig:
    return compose("train", [*RECIPE, *overrides])


@pytest.mark.parametrize(
    "overrides",
    [
        ("seed=3",),
        ("run_dir=elsewhere", "name=other"),
        ("data.root=/corpora/people",),
        ("data.num_workers=7",),
        ("logger=none",),
        ("logger=csv", "callbacks.progress=null", "callbacks.learning_rate=null"),
        ("trainer=cpu",),
        ("trainer.enable_model_summary=true", "trainer.log_every_n_steps=1"),
    ],
)
def test_seeds_machines_folders_and_loggers_share_a_fingerprint(overrides: tuple[str, ...]) -> None:
    assert settings_fingerprint(composed(*overrides)) == settings_fingerprint(composed())


@pytest.mark.parametrize(
    "override",
    [
        "model=r3d_18",
        "+model.unheard_of=1",
        "optim.optimizer.lr=1e-3",
        "input.size=32",
        "data.recordings.training=8",
        "data.label_noise=1",
        "data.evaluate_on=development",
        "trainer.max_epochs=2",
        "trainer.precision=16-mixed",
        "callbacks=early_stopping",
        "+callbacks.checkpoint.unheard_of=1",
    ],
)
def test_every_other_setting_has_a_fingerprint_of_its_own(override: str) -> None:
    assert settings_fingerprint(composed(override)) != settings_fingerprint(composed())


@pytest.mark.parametrize(
    "override", ["+callbacks.mine.monitor=x", "callbacks.checkpoint=foo", "+callbacks.mine=[1]"]
)
def test_a_callback_that_is_none_counts_whole_until_it_is_refused(override: str) -> None:
    config = composed(override, "logger=none", "trainer=cpu")
    assert settings_fingerprint(config) != settings_fingerprint(composed())
    with pytest.raises(UserError, match=r"config key callbacks\.(mine|checkpoint)"):
        assembly.build_trainer(config)


def test_a_logger_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match=r"config key logger\.mine"):
        assembly.build_trainer(composed("+logger.mine.save_dir=x", "trainer=cpu"))


def test_a_runs_config_on_disk_has_the_recipes_fingerprint(tmp_path: Path) -> None:
    config = assembly.with_absolute_paths(composed("optim.optimizer.lr=1e-3"))
    file = tmp_path / "config.yaml"
    file.write_text(OmegaConf.to_yaml(config, resolve=True))
    read = OmegaConf.load(file)
    assert isinstance(read, DictConfig)
    assert settings_fingerprint(read) == settings_fingerprint(composed("optim.optimizer.lr=0.001"))


def test_a_runs_fingerprint_is_of_settings_and_dataset() -> None:
    config = composed()
    assert run_fingerprint(config, "0123456789abcdef") == f"{settings_fingerprint(config)}-01234567"
