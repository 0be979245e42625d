"""The recipes: configs in ``experiment/NAME.yaml``, each with a block ``recipe`` for the table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from depression_vr.configs import CONFIGS, compose
from depression_vr.errors import Problem, UserError, first_line
from depression_vr.settings import settings_fingerprint

PROJECT = CONFIGS / "experiments"
"""The project's own recipes are in its folder ``experiment``."""

_CORPORA = ("AVEC2013", "AVEC2014", "synthetic")  # come first in the table
_RUNTIME = ("run_dir=run", "name=run", "network=network")  # what Hydra fills in when a command runs


class Published(BaseModel):
    """A published result.

    Attributes:
        mae: mean absolute error on the test partition, in points.
        rmse: root mean squared error, in points.
        source: where it is published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mae: float = Field(ge=0)
    rmse: float = Field(ge=0)
    source: str


class Block(BaseModel):
    """The block ``recipe`` of a config: what the table shows of it.

    Attributes:
        title: what the table calls it.
        corpus: the table that it is in.
        published: None where nothing is.
        needs: what it takes to measure it, such as a licensed corpus; None where anybody can.
        arguments: what its command takes besides ``experiment=``, such as ``data.root=...``, or None.
        seeds: those that the table has.
        ablation_of: name of the recipe that this one leaves a part out of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    corpus: str = Field(min_length=1)
    published: Published | None
    needs: str | None
    arguments: str | None
    seeds: tuple[NonNegativeInt, ...] = Field(min_length=1)
    ablation_of: str | None = None


class Recipe(Block):
    """A recipe: its block and its config.

    Attributes:
        file: the config; its name is what ``experiment=`` takes.
        settings: fingerprint of the settings that it has now.
        epochs: that a training takes at most.
    """

    file: Path
    settings: str
    epochs: PositiveInt

    @property
    def name(self) -> str:
        """As ``experiment=`` takes it."""
        return self.file.stem

    @property
    def overrides(self) -> list[str]:
        """What selects it on the command line of a training, wherever its file is."""
        return _selecting(self.file)


def quoted(value: str) -> str:
    """A string as Hydra's command line takes it, with spaces, commas and brackets."""
    return "'" + value.replace("'", r"\'") + "'"


def find_recipes(folder: Path, wanted: Sequence[str] = ()) -> list[Recipe]:
    """The recipes that have a block ``recipe``, in the order of the table: by corpus, then by
    name, ablations behind the network that they are of.

    Args:
        folder: has the recipes in its folder ``experiment``; where there is none, the project's are found.
        wanted: names that must be among them.

    Raises:
        UserError: there is no recipe of such a name; one does not compose, its block is wrong, or its name
            is taken.
    """
    files = _files(folder)
    _refuse_unknown(wanted, [file.stem for file in files])
    recipes = [recipe for recipe in map(_read, files) if recipe is not None]
    corpora = {recipe.name: recipe.corpus for recipe in recipes}
    problems = [
        Problem(str(recipe.file), f"recipe.ablation_of: no recipe {recipe.ablation_of!r} for {recipe.corpus}")
        for recipe in recipes
        if recipe.ablation_of is not None and corpora.get(recipe.ablation_of) != recipe.corpus
    ]
    if problems:
        raise UserError("recipes name others that are not there:", problems=problems, fix="correct the names")
    return sorted(recipes, key=_place)


def compose_recipe(recipe: Recipe, overrides: Sequence[str]) -> DictConfig:
    """The config of a training of the recipe.

    Args:
        recipe: the recipe.
        overrides: more of the command line.

    Raises:
        UserError: an override is refused.
    """
    return compose("train", [*_RUNTIME, *recipe.overrides, *overrides])


def _files(folder: Path) -> list[Path]:
    has_own = (folder / "experiment").is_dir() and folder.resolve() != PROJECT.resolve()
    files = sorted(((folder if has_own else PROJECT) / "experiment").glob("*.yaml"))
    # Hydra would take the project's
    taken = [file for file in files if has_own and (PROJECT / "experiment" / file.name).is_file()]
    if taken:
        raise UserError(
            "the project has recipes of these names:",
            problems=[Problem(str(file), f"experiment={file.stem} is the project's") for file in taken],
            fix="rename them",
        )
    return files


def _refuse_unknown(wanted: Sequence[str], names: Sequence[str]) -> None:
    """Before all recipes are composed, which takes a while."""
    for name in wanted:
        if name not in names:
            raise UserError(
                f"there is no recipe {name!r}", where="config key recipes", fix=f"use {', '.join(names)}"
            )


def _read(file: Path) -> Recipe | None:
    try:
        config = compose("train", [*_RUNTIME, *_selecting(file)])
        if config.recipe is None:
            return None
        is_node = OmegaConf.is_config(config.recipe)
        content: Any = OmegaConf.to_container(config.recipe, resolve=True) if is_node else config.recipe
        return Recipe(
            **Block.model_validate(content).model_dump(),
            file=file,
            settings=settings_fingerprint(config),
            epochs=config.trainer.max_epochs,
        )
    except UserError as error:
        raise UserError(error.what, where=str(file), fix=error.fix) from error
    except OmegaConfBaseException as error:
        raise UserError(first_line(error), where=f"{file}, key {error.full_key}") from error
    except ValidationError as error:
        problems = [
            Problem(".".join(map(str, ("recipe", *wrong["loc"]))), wrong["msg"]) for wrong in error.errors()
        ]
        raise UserError(
            "the recipe's block for the table is wrong:",
            where=str(file),
            problems=problems,
            fix="correct the block",
        ) from error


def _selecting(file: Path) -> list[str]:
    folder = file.parents[1]
    search = [] if folder == PROJECT else [f"hydra.searchpath=[{quoted(f'file://{folder.absolute()}')}]"]
    return [*search, f"experiment={file.stem}"]


def _place(recipe: Recipe) -> tuple[int, str, str, bool, str]:
    place = _CORPORA.index(recipe.corpus) if recipe.corpus in _CORPORA else len(_CORPORA)
    whole = recipe.ablation_of or recipe.name
    return place, recipe.corpus, whole, recipe.ablation_of is not None, recipe.name
