"""The runs that are wanted."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from depression_vr.errors import UserError
from depression_vr.experiments.recipes import Recipe, compose_recipe, quoted
from depression_vr.experiments.results import Measurement
from depression_vr.runs.run import Run
from depression_vr.settings import settings_fingerprint

_DECIDED_HERE = {"seed", "run_dir", "dirpath", "default_root_dir", "logger", "hydra", "resume"}


@dataclass(frozen=True)
class Job:
    """A run that is wanted.

    Attributes:
        recipe: what to train.
        seed: with which seed.
        out: folder of all runs, absolute.
        overrides: more of the training's command line.
    """

    recipe: Recipe
    seed: int
    out: Path
    overrides: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.recipe.name} seed {self.seed}"

    @property
    def run(self) -> Run:
        """Its run directory."""
        return Run(self.out / self.recipe.name / f"seed{self.seed}")

    @property
    def log(self) -> Path:
        """What the training printed."""
        return self.out / self.recipe.name / f"seed{self.seed}.log"

    @property
    def command(self) -> list[str]:
        """The training; what decides where its result goes comes last and so wins.

        Overrides that decide it in other words are refused by `refuse_other_settings`.
        """
        folder = f"hydra.run.dir={quoted(str(self.run.folder))}"
        own = (f"seed={self.seed}", folder, "logger=csv", "resume=auto")
        return [
            *(sys.executable, "-m", "depression_vr.train"),
            *(*self.recipe.overrides, *self.overrides, *own),
        ]


def refuse_other_settings(recipe: Recipe, overrides: Sequence[str]) -> None:
    """Refuse overrides with which a training would not be one of the recipe, or not one of its job.

    Raises:
        UserError: they change the settings, the seed or where the result goes, or are wrong.
    """
    where = f"config key overrides: {' '.join(overrides)}"
    try:
        changed = settings_fingerprint(compose_recipe(recipe, overrides))
    except UserError as error:
        raise UserError(error.what, where=where, fix=error.fix) from error
    decided = [override for override in overrides if _keys(override) & _DECIDED_HERE]
    if decided:
        raise UserError(
            f"what seed a run has and where its result goes is decided here: {' '.join(decided)}",
            where=where,
            fix="remove it; use seeds=... and out=...",
        )
    if changed != recipe.settings:
        raise UserError(
            f"they change the settings of {recipe.name}: fingerprint {changed}, not {recipe.settings}",
            where=where,
            fix="override what no result depends on, such as data.root; other settings are another recipe",
        )


def _keys(override: str) -> set[str]:
    """Every part of the dotted key, and every key of a mapping that it is set to."""
    parsed = OverridesParser.create().parse_override(override)
    return {*re.split("[./]", parsed.key_or_group), *_keys_of(parsed.value())}


def _keys_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys_of(inner)


def is_present(measurement: Measurement, recipe: Recipe) -> bool:
    """Whether it is of this recipe, with the settings that the recipe has now."""
    return (measurement.recipe, measurement.settings) == (recipe.name, recipe.settings)


def missing_jobs(jobs: Sequence[Job], measurements: Sequence[Measurement]) -> list[Job]:
    """The jobs that have no measurement with the present settings."""
    return [
        job
        for job in jobs
        if not any(is_present(row, job.recipe) and row.seed == job.seed for row in measurements)
    ]
