"""Run directories of networks that were never trained, opened again for `explain`."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from depression_vr.assembly import build_regression
from depression_vr.configs import CONFIGS
from depression_vr.trained import TrainedNetwork, open_trained


def make_run(folder: Path, table: Path, *overrides: str) -> Path:
    """A run directory with random weights for clips of 4 frames of 32x32 pixels."""
    clips = ("data.clip_length=4", "data.frame_step=2", "data.size=32", "optim.scale.standardise=true")
    corpus = ("data=csv", f"data.table={table}", "trainer=cpu", "logger=none")
    fixed = (f"run_dir={folder}", "name=run", "network=made", "optim=one_cycle")
    with initialize_config_dir(str(CONFIGS / "conf")):
        config = compose("train", [*fixed, *overrides, *clips, *corpus])
    config.callbacks = {}
    OmegaConf.resolve(config)
    torch.manual_seed(0)
    module = build_regression(config)
    module.scale.fit(torch.tensor([5.0, 35.0]))
    (folder / "checkpoints").mkdir(parents=True)
    OmegaConf.save(config, folder / "config.yaml")
    torch.save({"state_dict": module.state_dict()}, folder / "checkpoints" / "best.ckpt")
    return folder


def opened(run: Path) -> TrainedNetwork:
    """The network of a run as `explain` opens it."""
    given = [f"run={run}", "trainer=cpu", "data.num_workers=0"]
    with initialize_config_dir(str(CONFIGS / "conf")):
        config = compose("explain", [*given, "run_dir=out"])
    return open_trained(config, given)
