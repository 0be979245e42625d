"""What a sweep searches, and what all of its trials have in common."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides
from omegaconf import DictConfig, open_dict, read_write
from optuna.distributions import BaseDistribution, distribution_to_json

from depression_vr.errors import UserError
from depression_vr.output import as_current
from depression_vr.settings import determining_settings
from depression_vr.sweeps.study import first_value


@dataclass(frozen=True)
class Search:
    """The overrides of a sweep.

    Attributes:
        space: what is searched, by key.
        fixed: values of the other keys.
        deleted: overrides that remove keys.
    """

    space: Mapping[str, BaseDistribution]
    fixed: Mapping[str, Any]
    deleted: Sequence[str]

    @property
    def in_common(self) -> list[str]:
        """Overrides of all trials."""
        return [*(f"{key}={value}" for key, value in self.fixed.items()), *self.deleted]

    def one_trial(self) -> list[str]:
        """Overrides of a trial that has the first value of each parameter."""
        return [*(f"{key}={first_value(values)}" for key, values in self.space.items()), *self.in_common]

    def readable_space(self) -> dict[str, str]:
        """The search space, by the names that a study keeps it by."""
        return {f"search space of {key}": _readable(values) for key, values in self.space.items()}


class Trials:
    """The configs of a sweep's trials.

    Args:
        loader: that composes them.
        sweep: config of the sweep.
    """

    def __init__(self, loader: ConfigLoader, sweep: DictConfig) -> None:
        self._loader = loader
        self._sweep = sweep

    @contextmanager
    def composed(self, overrides: Sequence[str]) -> Iterator[DictConfig]:
        """The config of a trial, while Hydra is told that it runs."""
        config = self._loader.load_sweep_config(self._sweep, list(overrides))
        with read_write(config), open_dict(config):
            config.hydra.job.num = 0
            config.hydra.runtime.output_dir = config.hydra.sweep.dir
        with as_current(config):
            yield config

    def settings(self, overrides: Sequence[str]) -> dict[str, str]:
        """All that the result of a trial depends on."""
        with self.composed(overrides) as config:
            return determining_settings(config)


def read_search(overrides: Sequence[str]) -> Search:
    """What is searched and what is fixed, from a config's params and then a command line, which decides.

    Raises:
        UserError: an override is no search space, or nothing is searched.
    """
    try:
        space, fixed, deleted = create_params_from_overrides(list(overrides))
    except (HydraException, ValueError, NotImplementedError, AssertionError) as error:
        raise UserError(
            str(error).partition("\n")[0] or "this is no search space",
            where="config key hydra.sweeper.params, or the command line",
            fix="give interval(a, b), tag(log, interval(a, b)), range(a, b) or choice(a, b, c)",
        ) from error
    searched = {key: distribution for key, distribution in space.items() if key not in fixed}
    if not searched:
        raise UserError(
            "every parameter is fixed, and nothing left to search",
            where="config key hydra.sweeper.params",
            fix="leave one of them out of the command line",
        )
    return Search(searched, fixed, deleted)


def _readable(distribution: BaseDistribution) -> str:
    attributes: dict[str, Any] = json.loads(distribution_to_json(distribution))["attributes"]
    return json.dumps(attributes, sort_keys=True)
