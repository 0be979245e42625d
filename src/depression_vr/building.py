"""Building what configs name, from packages that are trusted."""

import os
import re
import sys
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from depression_vr.errors import Problem, UserError, first_line

TRUSTED_TARGETS = (
    "depression_vr.*",
    "optuna.pruners.*",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.*",
    "pytorch_lightning.loggers.*",
    "torch.nn.*",
    "torch.optim.*",
)
"""What a config may build. A config comes with every run directory, also with somebody else's."""
TARGETS_VARIABLE = "DEPRESSION_VR_TARGETS"
"""Environment variable that adds the user's own packages, such as ``mylab.networks.*``."""

_NOT_TRUSTED = re.compile(r"Target '(\S+)' .*is not in the Hydra execution whitelist")
_NOT_FOUND = "Error locating target"
_HOW_IT_IS_FOUND = (
    "correct the name; code of your own is found when it is installed or PYTHONPATH has its folder"
)


def build(config: Any, **arguments: Any) -> Any:
    """Build the object that a config names by ``_target_``, from trusted packages only.

    Args:
        config: a node with ``_target_``, or a container of such nodes.
        arguments: passed on as they are.

    Raises:
        UserError: an argument is unknown, missing or refused, or a target is not trusted.
    """
    try:
        return hydra.utils.instantiate(
            config, _execution_whitelist_=trusted_targets(), _convert_="all", **arguments
        )
    except ValidationError as error:
        raise refused_settings(error, _full_key(error)) from error
    except OmegaConfBaseException as error:
        raise unreadable_key(error) from error
    except _refusals() as error:
        # constructors take plain settings and do no work, so what they raise is about a setting
        message = str(error).partition("full_key: ")[0].strip()
        where = f"config key {_full_key(error)}".rstrip()
        not_trusted = _NOT_TRUSTED.match(message)
        if not_trusted:
            raise _not_trusted(not_trusted[1], where) from error
        if _NOT_FOUND in message:
            raise UserError(f"{message}: {first_line(_origin(error))}", where, _HOW_IT_IS_FOUND) from error
        raise UserError(message, where=where, fix="correct the value or key") from error


def trusted_targets() -> list[str]:
    """`TRUSTED_TARGETS`, and those of the environment."""
    return [*TRUSTED_TARGETS, *filter(None, os.environ.get(TARGETS_VARIABLE, "").split(","))]


def unreadable_key(error: OmegaConfBaseException) -> UserError:
    """What to do about a key that has no value, or refers to one that is not there."""
    fix = "correct the value or key"
    if isinstance(error, MissingMandatoryValue):
        fix = f"give it a value: {error.full_key}=..."
    elif "Interpolation key 'input" in str(error):
        fix = "give the network's config a whole block input:, as docs/networks.md shows"
    return UserError(first_line(error), where=f"config key {error.full_key or ''}".rstrip(), fix=fix)


def _not_trusted(target: str, where: str) -> UserError:
    packages = target.rpartition(".")[0] or target
    return UserError(
        f"{target} is not among what a config may build",
        where=where,
        fix=f"if you trust that code, set {TARGETS_VARIABLE}='{packages}.*' in the environment",
    )


def _origin(error: BaseException) -> BaseException:
    """The first of a chain of errors."""
    return _origin(error.__cause__) if error.__cause__ else error


def _refusals() -> tuple[type[Exception], ...]:
    """What constructors raise of settings that they refuse."""
    # only where it is loaded already: it brings torch, which commands without a network do not need
    lightning = sys.modules.get("lightning_fabric.utilities.exceptions")
    own = (lightning.MisconfigurationException,) if lightning else ()
    return (InstantiationException, ImportError, TypeError, ValueError, *own)


def _full_key(error: Exception) -> str:
    _, known, key = "\n".join([str(error), *getattr(error, "__notes__", ())]).rpartition("full_key: ")
    return key.strip() if known else ""


def refused_settings(error: ValidationError, key: str = "") -> UserError:
    """All that Pydantic says of the settings of an object, below a config key."""
    problems = [
        Problem(
            "config key " + ".".join(filter(None, [key, *map(str, wrong["loc"])])),
            _said(wrong),
        )
        for wrong in error.errors()
    ]
    return UserError("settings were refused:", problems=problems, fix="correct the values")


def _said(wrong: ErrorDetails) -> str:
    if wrong["type"] == "unexpected_keyword_argument":
        return "there is no such key"
    return f"{wrong['msg']}, not {wrong['input']!r}"
