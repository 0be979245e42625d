"""What is searched, with every optimiser and recipe of the network that it is a search of."""

import hydra
import pytest
from omegaconf import DictConfig

from depression_vr.configs import CONFIGS, compose
from depression_vr.sweeps.search import Search, read_search

NETWORKS = {"sta_drn_optuna": "StaDrn", "plegdf_fglscf_optuna": "PlegdfFglscf"}
RECIPES = [
    path.stem
    for path in sorted((CONFIGS / "experiments" / "experiment").glob("*.yaml"))
    if not path.stem.startswith(("mean_baseline", "r3d_18"))
]
OPTIMS = [path.stem for path in sorted((CONFIGS / "conf" / "optim").glob("*.yaml"))]


def search_of(name: str) -> Search:
    with hydra.initialize_config_dir(str(CONFIGS / "conf")):
        whole = hydra.compose("train", [f"hparams_search={name}"], return_hydra_config=True)
    return read_search([f"{key}={values}" for key, values in whole.hydra.sweeper.params.items()])


def one_trial(name: str, chosen: str) -> DictConfig:
    return compose("train", [f"hparams_search={name}", chosen, *search_of(name).one_trial()])


@pytest.mark.parametrize("optim", OPTIMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_optimiser_can_be_searched(name: str, optim: str) -> None:
    trial = one_trial(name, f"optim={optim}")
    assert trial.model._target_.endswith(NETWORKS[name])
    assert trial.optim.optimizer.lr == 1e-4
    assert trial.optim.optimizer.weight_decay in (1e-4, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_of_the_network_can_be_searched(recipe: str) -> None:
    name = "plegdf_fglscf_optuna" if recipe.startswith("plegdf") else "sta_drn_optuna"
    alone = compose("train", [f"experiment={recipe}"])
    trial = one_trial(name, f"experiment={recipe}")
    assert trial.model._target_ == alone.model._target_
    assert trial.optim.optimizer._target_ == alone.optim.optimizer._target_
    assert trial.optim.optimizer.lr == 1e-4
    assert trial.data.protocol == alone.data.protocol


@pytest.mark.parametrize(("epochs", "steps"), [("20", 10), ("3", 1), ("-1", 0), ("null", 0)])
def test_no_trial_is_stopped_in_the_first_half_of_its_training(epochs: str, steps: int) -> None:
    config = compose("train", ["hparams_search=sta_drn_optuna", f"trainer.max_epochs={epochs}"])
    assert config.callbacks.median_stopping.pruner.n_warmup_steps == steps
