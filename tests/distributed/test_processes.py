"""How many processes a config is for, which of them speaks, and what that does to a run's fingerprint."""

import pytest
from omegaconf import DictConfig, OmegaConf

from depression_vr import assembly
from depression_vr.configs import compose
from depression_vr.distributed.processes import leads, processes, with_counted_devices
from depression_vr.distributed.strategy import TogetherDDP
from depression_vr.errors import UserError
from depression_vr.settings import settings_fingerprint, shareable_config

RECIPE = ("run_dir=run", "new_run_dir=run", "name=run", "network=network", "logger=none")


def composed(*overrides: str) -> DictConfig:
    return compose("train", [*RECIPE, *overrides])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), 1),
        (("trainer=cpu",), 1),
        (("trainer=ddp_sim",), 2),
        (("trainer=ddp_sim", "trainer.devices=3", "trainer.num_nodes=2"), 6),
        (("trainer=ddp", "trainer.devices=4"), 4),
        (("trainer=ddp", "trainer.devices=[1,3]"), 2),
        (("trainer=ddp", "trainer.devices='0,1,2'"), 3),
        (("trainer=ddp", "trainer.devices='2'"), 2),
    ],
)
def test_processes_are_counted(overrides: tuple[str, ...], expected: int) -> None:
    assert processes(composed(*overrides)) == expected


def test_all_gpus_are_counted_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    config = composed("trainer=ddp", "trainer.num_nodes=2")
    assert processes(config) == 16
    assert with_counted_devices(config).trainer.devices == 8
    assert config.trainer.devices == "auto"
    assert with_counted_devices(composed("trainer=ddp_sim")).trainer.devices == 2


@pytest.mark.parametrize(
    "devices",
    [
        "trainer.devices=some",
        "trainer.devices=null",
        "trainer.devices=0",
        "trainer.devices=-3",
        "trainer.num_nodes=two",
    ],
)
def test_what_is_no_number_of_processes_is_refused(devices: str) -> None:
    with pytest.raises(UserError, match="no number of devices"):
        processes(composed("trainer=ddp_sim", devices))


@pytest.mark.parametrize("variable", ["LOCAL_RANK", "RANK", "SLURM_PROCID", "NODE_RANK"])
def test_the_first_process_leads(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "0")
    assert leads(composed("trainer=ddp_sim"))
    monkeypatch.setenv(variable, "1")
    assert not leads(composed("trainer=ddp_sim"))
    assert leads(composed("trainer=cpu"))  # one of several runs that a cluster has started side by side


def test_a_config_without_a_trainer_is_for_one_process() -> None:
    assert processes(OmegaConf.create({"data": {}})) == 1


def test_the_fingerprint_of_one_process_is_the_same_through_ddp() -> None:
    assert settings_fingerprint(composed("trainer=ddp", "trainer.devices=1")) == settings_fingerprint(
        composed("trainer=gpu")
    )


def test_several_processes_have_a_fingerprint_of_their_number() -> None:
    two = settings_fingerprint(composed("trainer=ddp", "trainer.devices=2"))
    assert two != settings_fingerprint(composed("trainer=gpu"))
    assert two == settings_fingerprint(composed("trainer=ddp_sim"))
    assert two == settings_fingerprint(composed("trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2"))
    assert two != settings_fingerprint(composed("trainer=ddp_sim", "trainer.sync_batchnorm=false"))
    assert two != settings_fingerprint(composed("trainer=ddp_sim", "trainer.devices=3"))


def test_loggers_are_not_told_the_run_folder() -> None:
    config = composed("trainer=ddp_sim", "run_dir=/home/somebody/run")
    assert "somebody" not in str(shareable_config(config))


def test_ddp_is_the_strategy_that_ends_as_a_whole() -> None:
    trainer = assembly.build_trainer(composed("trainer=ddp_sim"))
    assert isinstance(trainer.strategy, TogetherDDP)
    assert trainer.world_size == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("trainer=cpu", "trainer.devices=2"), "use trainer=ddp"),
        (("trainer=ddp_sim", "trainer.strategy=ddp_spawn"), "use trainer=ddp"),
        (("trainer=ddp_sim", "run_dir='a \"run\"'"), "quotation marks"),
    ],
)
def test_other_ways_of_several_processes_are_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        assembly.build_trainer(composed(*overrides))
