"""A folder of experiments of the tests' own: tiny recipes, results and run directories."""

import json
from pathlib import Path

from omegaconf import OmegaConf

from depression_vr.experiments.recipes import Recipe, compose_recipe, find_recipes
from depression_vr.experiments.results import Measurement

CONFIG = """\
# @package _global_
defaults:
  - override /model: mean_baseline
  - override /data: csv
  - override /trainer: cpu

data:
  num_workers: 0
"""
BLOCK = {
    "title": "tiny",
    "corpus": "synthetic",
    "published": None,
    "needs": None,
    "arguments": None,
    "seeds": [0, 1],
}
DATASET = "d" * 64


def write_recipe(folder: Path, name: str, settings: dict[str, object] | None = None, **block: object) -> None:
    """Write a recipe that trains the mean baseline on a table, ``data.table=FILE``."""
    file = folder / "experiment" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    config = OmegaConf.merge(OmegaConf.create(CONFIG), {"recipe": {**BLOCK, **block}}, settings or {})
    file.write_text("# @package _global_\n" + OmegaConf.to_yaml(config))


def recipe_of(folder: Path, name: str) -> Recipe:
    return next(recipe for recipe in find_recipes(folder) if recipe.name == name)


def measurement(
    recipe: Recipe, seed: int, mae: float = 4.0, rmse: float = 5.0, dataset: str = DATASET
) -> Measurement:
    """Of the recipe as it is now."""
    return Measurement(
        recipe=recipe.name,
        seed=seed,
        mae=mae,
        rmse=rmse,
        ccc=0.5,
        mean_predictor_mae=9.0,
        mean_predictor_rmse=11.0,
        fingerprint=f"{recipe.settings}-{dataset[:8]}",
        commit="c" * 40,
        dirty=False,
        minutes=1.5,
        torch="2.9.0",
        threads=2,
    )


def write_run(folder: Path, recipe: Recipe, seed: int, status: str = "finished", *overrides: str) -> None:
    """Write what a training leaves behind, as far as a measurement needs it."""
    folder.mkdir(parents=True)
    config = compose_recipe(recipe, [f"seed={seed}", *overrides])
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))
    record = {
        "status": status,
        "started": "2026-01-01T10:00:00+00:00",
        "ended": "2026-01-01T10:03:30+00:00",
        "git_commit": "c" * 40,
        "git_dirty": True,
        "dataset": {"fingerprint": DATASET},
        "packages": {"torch": "2.9.0"},
        "hardware": {"torch_threads": 2},
    }
    metrics = {
        "videos": {"mae": 3.25, "rmse": 4.5, "ccc": None},
        "references": {"mean_predictor": {"mae": 9.0, "rmse": 11.0}},
    }
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "metrics.json").write_text(json.dumps(metrics))
