"""Reading the keys of a command's config."""

import os
from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from pydantic import (
    BeforeValidator,
    Field,
    PositiveInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

Keys = TypeVar("Keys")


def _as_list(given: object) -> object:
    return given if given is None or isinstance(given, list) else [given]


def _as_path(given: object) -> Path:
    if given == "" or isinstance(given, bool) or not isinstance(given, str | int | float | Path):
        raise PydanticCustomError("path", "Input should name a file or folder")
    return Path(os.path.expanduser(str(given)))  # noqa: PTH111, nor fails where there is no such user


def _as_size(given: object, validated: ValidatorFunctionWrapHandler) -> object:
    try:
        return validated(given)
    except ValidationError as error:  # of every form that a size has
        what = "Input should be a number of pixels, 1 or more, or two of them: height and width"
        raise PydanticCustomError("size", what) from error


A_LIST = BeforeValidator(_as_list)
"""A list of one may be without brackets."""

APath = Annotated[Path, BeforeValidator(_as_path)]
"""A file or folder. It may be called 2014, and begin with ``~``."""

Confidence = Annotated[float, Field(gt=0, lt=1)]
"""Of intervals: the share that is to hold."""

Size = Annotated[PositiveInt | tuple[PositiveInt, PositiveInt], WrapValidator(_as_size)]
"""Height and width in pixels; one number for a square."""

FrameRate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Frames per second."""


def keys_of(config: DictConfig, kind: type[Keys]) -> Keys:
    """The keys of a config that a Pydantic dataclass has, resolved and checked by it.

    Raises:
        omegaconf.errors.OmegaConfBaseException: one is missing, or refers to what is not there.
        pydantic.ValidationError: one is refused.
    """
    return kind(**{name: _plain(config[name]) for name in signature(kind).parameters})


def with_dots(content: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The single values and lists of nested settings, by their whole keys.

    >>> dict(with_dots({"model": {"layers": [2, 2], "groups": 1}, "seed": 0}))
    {'model.layers': [2, 2], 'model.groups': 1, 'seed': 0}
    """
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from with_dots(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _plain(value: Any) -> Any:
    if OmegaConf.is_config(value):
        return OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
    return value
