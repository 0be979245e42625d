"""Finding and composing configs: where they are, and what they may refer to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from depression_vr.errors import UserError, first_line

_PACKAGE = Path(__file__).parent
IS_CHECKOUT = not (_PACKAGE / "conf").is_dir()
CONFIGS = _PACKAGE.parents[1] if IS_CHECKOUT else _PACKAGE
"""Where conf/ and experiments/ are: inside of an installed package, beside src/ in a checkout."""
AUTO = "auto"
"""As ``resume=``: go on with the run that the run directory holds, or begin where it holds none."""


class ExperimentsOnSearchPath(SearchPathPlugin):
    """Lets ``experiment=NAME`` find the recipes in experiments/."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folder of recipes."""
        search_path.append("depression-vr", f"file://{CONFIGS / 'experiments'}")


Plugins.instance().register(ExperimentsOnSearchPath)


def _run_folder(resume: str | int | None, new: str) -> str:
    """The folder of the run that goes on, or of a new one."""
    return new if resume in (None, AUTO) else str(resume)


def _chosen_experiment(otherwise: str | None) -> str | None:
    """The name of the recipe that the command line names."""
    choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
    return choices.get("experiment") or otherwise


def _half(number: Any) -> int:
    """Of a number of epochs; none of endless ones."""
    return max(number // 2, 0) if isinstance(number, int) else 0


OmegaConf.register_resolver("run_folder", _run_folder, replace=True)
OmegaConf.register_resolver("half", _half, replace=True)
OmegaConf.register_resolver("absolute_path", lambda path: str(Path(path).absolute()), replace=True)
OmegaConf.register_resolver("chosen_experiment", _chosen_experiment, replace=True)


def compose(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """The config that a command would get with these overrides, inside of another command or without one.

    Raises:
        UserError: an override is refused.
    """
    try:
        if GlobalHydra.instance().is_initialized():
            return hydra.compose(config_name, list(overrides))
        with hydra.initialize_config_dir(str(CONFIGS / "conf")):
            return hydra.compose(config_name, list(overrides))
    except HydraException as error:
        raise UserError(first_line(error), fix="correct the override or the config") from error
