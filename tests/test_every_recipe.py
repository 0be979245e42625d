"""Every recipe in experiments/ takes an optimisation step on a tiny corpus of the layout that it is for."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from depression_vr import assembly
from depression_vr.experiments.recipes import PROJECT, Recipe, compose_recipe, find_recipes

RECIPES = {recipe.name: recipe for recipe in find_recipes(PROJECT)}
RECORDINGS = {
    "203_1": "Training",
    "207_2": "Training",
    "215_1": "Training",
    "220_1": "Development",
    "230_3": "Testing",
}
FRAMES = 20

# networks that are small enough for a test; the mean predictor is
SMALL = {
    "depression_vr.models.sta_drn.StaDrn": ("model.base_planes=2", "model.layers=[1,1,1,1]"),
    "depression_vr.models.plegdf_fglscf.PlegdfFglscf": ("model.base_planes=2", "model.layers=[1,1,1,1]"),
    "depression_vr.models.baselines.R3D18": (),
    "depression_vr.models.baselines.MeanBaseline": (),
}
STEP = (
    "data.clip_length=8",
    "data.size=32",
    "data.batch_size=2",
    "data.num_workers=0",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.accumulate_grad_batches=1",
    "+trainer.max_steps=1",
    "logger=none",
)


def write_frames(folder: Path) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(len(str(folder)))
    for frame in range(1, FRAMES + 1):
        pixels = generator.integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"frame_{frame:06d}.jpg")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AVEC2013 and AVEC2014 as they lie on a user's disk, one folder each, with five recordings."""
    root = tmp_path_factory.mktemp("corpora")
    for number, (recording, partition) in enumerate(RECORDINGS.items()):
        for corpus in ("avec2013", "avec2014"):
            labels = root / corpus / "DepressionLabels"
            labels.mkdir(parents=True, exist_ok=True)
            (labels / f"{recording}_Depression.csv").write_text(f"{10 * number}\n")
        write_frames(root / "avec2013" / partition / "Video" / f"{recording}_cut_combined")
        for task in ("Freeform", "Northwind"):
            write_frames(root / "avec2014" / partition / task / f"{recording}_{task}_video")
    return root


def tiny(recipe: Recipe, corpora: Path, run: Path) -> DictConfig:
    """The recipe with a small network on the tiny corpus, for one step, into a run directory."""
    full = compose_recipe(recipe, [])
    if full.data.corpus == "synthetic":
        recordings = "data.recordings={training: 3, development: 1, test: 1}"
        corpus = [f"data.root={corpora}/synthetic", recordings, "data.frames=20", "data.frame_size=32"]
    else:
        corpus = [f"data.root={corpora / full.data.corpus}"]
    config = compose_recipe(recipe, [*STEP, *SMALL[full.model._target_], *corpus, f"run_dir={run}"])
    OmegaConf.resolve(config)
    return config


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_takes_an_optimisation_step(name: str, corpora: Path, tmp_path: Path) -> None:
    config = tiny(RECIPES[name], corpora, tmp_path)
    pl.seed_everything(0, verbose=False)
    datamodule = assembly.build_datamodule(config)
    module = assembly.build_regression(config)
    module.scale.fit(datamodule.training_labels())
    before = [parameter.detach().clone() for parameter in module.network.parameters()]
    trainer = assembly.build_trainer(config)

    trainer.fit(module, datamodule)

    assert trainer.global_step == 1
    learns = config.optim.optimizer.lr > 0
    moved = [not torch.equal(old, new) for old, new in zip(before, module.network.parameters(), strict=True)]
    assert any(moved) == learns
