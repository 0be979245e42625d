"""What all entry points share: finding configs, building what they name, and exit codes."""

import functools
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.errors import InstantiationException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from depression_vr.errors import UserError

USER_ERROR = 2
TRUSTED_TARGETS = (
    "depression_vr.*",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.*",
    "pytorch_lightning.loggers.*",
    "torch.nn.*",
    "torch.optim.*",
)
"""What a config may build. A config comes with every run directory, also with somebody else's."""
TARGETS_VARIABLE = "DEPRESSION_VR_TARGETS"
"""Environment variable that adds the user's own packages, such as ``mylab.networks.*``."""

_CALL_MISMATCH = re.compile(r"unexpected keyword argument|missing \d+ required")
_PACKAGE = Path(__file__).parent
# an installed package carries conf/ and experiments/ inside, a checkout beside src/
_CONFIGS = _PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parents[1]


class ExperimentsOnSearchPath(SearchPathPlugin):
    """Lets ``experiment=NAME`` find the recipes in experiments/."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folder of recipes."""
        search_path.append("depression-vr", f"file://{_CONFIGS / 'experiments'}")


Plugins.instance().register(ExperimentsOnSearchPath)


def entry_point(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Make a task function a command: Hydra composes ``conf/<config_name>.yaml`` and calls it.

    Wrong input, in the config or met by the task as `UserError`, ends with its message and exit code 2;
    a bug shows its traceback.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], None]:
        entered = False

        @functools.wraps(task)
        def guarded(config: DictConfig) -> Any:
            nonlocal entered
            entered = True
            _quieten_lightning()
            try:
                return task(config)
            except UserError as error:
                _exit(error)
            except OmegaConfBaseException as error:
                _exit(UserError(str(error).splitlines()[0], where=f"config key {error.full_key}"))

        command = hydra.main(config_path=str(_CONFIGS / "conf"), config_name=config_name)(guarded)

        @functools.wraps(command)
        def main() -> None:
            nonlocal entered
            entered = False
            try:
                command()
            except SystemExit as stop:
                if stop.code == 1 and not entered:  # Hydra has said what is wrong with the command line
                    sys.exit(USER_ERROR)
                raise

        return main

    return decorate


def _quieten_lightning() -> None:
    """Keep an advertisement, and a warning about Lightning's own code, out of every run's log."""
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec")
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: "litlogger" not in record.getMessage()
    )


def _exit(error: UserError) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(USER_ERROR)


def build(config: Any, **arguments: Any) -> Any:
    """Build the object that a config names by ``_target_``, from trusted packages only.

    Args:
        config: a node with ``_target_``, or a container of such nodes.
        arguments: passed on as they are.

    Raises:
        UserError: an argument is unknown, missing or refused, or a target is not trusted.
    """
    trusted = [*TRUSTED_TARGETS, *filter(None, os.environ.get(TARGETS_VARIABLE, "").split(","))]
    try:
        return hydra.utils.instantiate(config, _execution_whitelist_=trusted, **arguments)
    except (
        InstantiationException,
        MisconfigurationException,
        ModuleNotFoundError,
        TypeError,
        ValueError,
    ) as error:
        if isinstance(error, TypeError) and not _CALL_MISMATCH.search(str(error)):
            raise
        message, _, key = "\n".join([str(error), *getattr(error, "__notes__", ())]).partition("full_key: ")
        raise UserError(message.strip(), where=f"config key {key}", fix="correct the value or key") from error
