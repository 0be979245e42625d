"""What the command is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.configs import IS_CHECKOUT
from depression_vr.errors import UserError
from depression_vr.experiments.jobs import Job, refuse_other_settings
from depression_vr.experiments.recipes import PROJECT, Recipe
from depression_vr.keys import A_LIST, APath


@dataclass(frozen=True, config=ConfigDict(coerce_numbers_to_str=True))
class Settings:
    """The keys of ``conf/experiments.yaml``; a list of one may be without brackets."""

    recipes: Annotated[list[str] | None, A_LIST]
    seeds: Annotated[list[NonNegativeInt] | None, A_LIST]
    overrides: Annotated[list[str], A_LIST]
    out: APath
    folder: APath | None
    workers: PositiveInt
    run: bool

    @property
    def experiments(self) -> Path:
        """The folder of results file and table."""
        if self.folder is not None:
            return self.folder.absolute()
        return PROJECT if IS_CHECKOUT else Path("experiments").absolute()

    @property
    def runs(self) -> Path:
        """The folder of all run directories."""
        return self.out.absolute()

    @property
    def results(self) -> Path:
        """The results file."""
        return self.experiments / "results.csv"

    @property
    def readme(self) -> Path:
        """The file with the table."""
        return self.experiments / "README.md"


def wanted_jobs(settings: Settings, recipes: Sequence[Recipe]) -> list[Job]:
    """Every run that is asked for, measured or not: the first seed of each recipe, then the second ...

    Raises:
        UserError: there is no such recipe, or the overrides are not for it.
    """
    chosen = _chosen(settings.recipes, recipes)
    if settings.overrides:
        for recipe in chosen:
            refuse_other_settings(recipe, settings.overrides)
    jobs = [
        (place, Job(recipe, seed, settings.runs, tuple(settings.overrides)))
        for recipe in chosen
        for place, seed in enumerate(dict.fromkeys(settings.seeds or recipe.seeds))
    ]
    return [job for _, job in sorted(jobs, key=lambda placed: placed[0])]


def make_folder(folder: Path, key: str) -> None:
    """Make a folder that a config key names, unless it is there.

    Raises:
        UserError: that cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"no folder can be made here: {error.strerror}",
            where=f"config key {key}: {folder}",
            fix="name another folder",
        ) from error


def _chosen(names: Sequence[str] | None, recipes: Sequence[Recipe]) -> list[Recipe]:
    if names is None:
        return [recipe for recipe in recipes if recipe.needs is None]
    by_name = {recipe.name: recipe for recipe in recipes}
    for name in names:
        if name not in by_name:
            raise UserError(
                f"the recipe {name!r} is not in the table",
                where="config key recipes",
                fix=f"use {', '.join(by_name)}, or give it its block `recipe`",
            )
    return [by_name[name] for name in dict.fromkeys(names)]
