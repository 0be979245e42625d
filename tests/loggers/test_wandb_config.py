"""What the config tells W&B, and what it refuses."""

import re
from pathlib import Path

import pytest
from omegaconf import DictConfig

from depression_vr import assembly
from depression_vr.configs import compose
from depression_vr.errors import UserError
from depression_vr.loggers.weights_and_biases import wandb_logger
from depression_vr.settings import shareable_config


def composed(*overrides: str) -> DictConfig:
    return compose("train", ["run_dir=run", "name=run", "network=network", "trainer=cpu", *overrides])


def test_the_config_is_flat_so_that_columns_sort() -> None:
    shared = shareable_config(composed("model=sta_drn", "data=synthetic", "seed=3"))
    assert (shared["network"], shared["corpus"], shared["seed"]) == ("network", "synthetic", 3)
    assert shared["experiment"] is None
    assert (shared["compile"], shared["tf32"]) == (False, None)
    assert shared["model/layers"] == [2, 2, 2, 2]
    assert shared["model/_target_"] == "depression_vr.models.sta_drn.StaDrn"
    assert shared["data/augmentation/1/p"] == 0.5
    assert not [key for key, value in shared.items() if isinstance(value, dict)]


@pytest.mark.parametrize("path", ["/home/anna/net.pt", "nets/net.pt", "~anna", "nets\\net.pt", ["a", "b/c"]])
def test_what_could_be_a_path_is_kept_back(path: str | list[str]) -> None:
    config = composed("+model.weights=w", "data.root=/home/anna/corpus")
    assert shareable_config(config)["model/weights"] == "w"
    config.model.weights = path
    shared = shareable_config(config)
    assert not [key for key in shared if key.endswith(("weights", "root"))]
    assert "anna" not in str(shared)


@pytest.mark.parametrize(
    "override",
    [
        "logger.wandb.share_ids=1",
        "logger.wandb.share_faces=yes",
        "logger.wandb.faces=0",
        "logger.wandb.artifacts=[corpus]",
        "logger.wandb.mode=sometimes",
    ],
)
def test_what_is_no_clear_wish_is_refused(override: str) -> None:
    key = override.partition("=")[0]
    with pytest.raises(UserError, match=f"config key {re.escape(key)}"):
        assembly.build_trainer(composed(override))


@pytest.mark.parametrize(
    ("wish", "said"),
    [("share_ids", "ids, recordings and subjects"), ("share_faces", "pictures of faces")],
)
def test_what_is_wished_for_is_said_before_anything_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wish: str, said: str
) -> None:
    wandb_logger("project", "name", str(tmp_path), mode="offline")
    assert not caplog.messages
    wandb_logger("project", "name", str(tmp_path), mode="offline", **{wish: True})
    assert [message for message in caplog.messages if said in message and wish in message]
    assert not list(tmp_path.iterdir())
    caplog.clear()
    wandb_logger("project", "name", str(tmp_path), mode="disabled", **{wish: True})
    assert not caplog.messages


def test_artifacts_of_an_online_run_tell_no_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("depression_vr.loggers.weights_and_biases.wandb_mode", lambda _: "online")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    wandb_logger("project", "name", "outputs/run", artifacts=["predictions"])
    with pytest.raises(UserError, match="path of the run directory"):
        wandb_logger("project", "name", str(tmp_path / "elsewhere"), artifacts=["predictions"])


def test_a_tag_may_be_a_number(tmp_path: Path) -> None:
    logger = wandb_logger("project", "name", str(tmp_path), mode="offline", tags=["csv", None, 32])
    assert logger._wandb_init["tags"] == ["csv", "32"]
