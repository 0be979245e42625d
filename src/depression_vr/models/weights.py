"""Reading weights: checkpoints of this project and of the published STA-DRN code.

Nothing in a file is ever executed: every load is `weights_only`.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from depression_vr.errors import Problem, UserError, first_of
from depression_vr.files import is_whole_archive

NETWORK_PREFIX = "network."
SCALE_PREFIX = "scale."

_RELEASE_TOP = {"conv_1": "stem.conv", "bn1": "stem.norm", "fc": "head"}
_RELEASE_BLOCK = {
    "conv1": "reduce.conv",
    "bn1": "reduce.norm",
    "bn2": "norm",
    "conv3": "expand.conv",
    "bn3": "expand.norm",
    "downsample.0": "shortcut.conv",
    "downsample.1": "shortcut.norm",
}
_RELEASE_SINGLE = {"group_conv": "features.conv", "bn": "features.norm", "fc": "attention.logits"}
_RELEASE_ATTENTION = dict(_RELEASE_SINGLE)
for _side in ("temporal", "spatial"):
    for _theirs, _ours in _RELEASE_SINGLE.items():
        _RELEASE_ATTENTION[f"{_side}_block.{_theirs}"] = f"{_side}.{_ours}"  # sta
        _RELEASE_ATTENTION[f"{_theirs}_{_side}"] = f"{_side}_{_ours}"  # sta_fused
_RELEASE_KEY = re.compile(r"layer_(?P<stage>[1-9])\.(?P<block>\d+)\.(?P<path>.+)\.(?P<leaf>\w+)")


def is_release(state: Mapping[str, object]) -> bool:
    """Whether a state dict has the key names of the STA-DRN authors' release."""
    return "conv_1.weight" in state


def from_release(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the keys of the STA-DRN release to those of `StaDrn`; an unknown key stays as it is."""
    return {_from_release_key(key): tensor for key, tensor in state.items()}


def _from_release_key(key: str) -> str:
    match = _RELEASE_KEY.fullmatch(key)
    if match is None:
        module, _, leaf = key.rpartition(".")
        return f"{_RELEASE_TOP[module]}.{leaf}" if module in _RELEASE_TOP else key
    path = match["path"]
    if path.startswith("conv2."):
        ours = _RELEASE_ATTENTION.get(path.removeprefix("conv2."))
        path_here = None if ours is None else f"attention.{ours}"
    else:
        path_here = _RELEASE_BLOCK.get(path)
    if path_here is None:
        return key
    return f"stages.{int(match['stage']) - 1}.{match['block']}.{path_here}.{match['leaf']}"


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint file.

    Takes a checkpoint of this project (its ``state_dict``) or a bare state dict, with or without
    DataParallel's prefix ``module.``; the release's key names become ours and get the prefix
    `NETWORK_PREFIX`, as they have in our own checkpoints.

    Raises:
        UserError: the file is missing, is no checkpoint, needs pickled code, or holds other things
            than tensors.
    """
    if not path.is_file():
        raise UserError("the checkpoint does not exist", where=str(path), fix="correct ckpt=FILE")
    content = _load(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise _no_state_dict(path)
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()):
        raise _no_state_dict(path)
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): tensor for key, tensor in content.items()}
    if is_release(content):
        content = from_release(content)
    # a network may have a part of either name itself
    if all(any(key.startswith(prefix) for key in content) for prefix in (NETWORK_PREFIX, SCALE_PREFIX)):
        return dict(content)
    return {NETWORK_PREFIX + key: tensor for key, tensor in content.items()}


def _load(path: Path) -> object:
    if zipfile.is_zipfile(path) and not is_whole_archive(path):
        raise _no_checkpoint(path)  # torch would load altered numbers
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's doubts about a file that is refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch says the same of a file that needs code and of one that is no pickle at all
        if "Unsupported global" in str(error) or "GLOBAL" in str(error):
            raise UserError(
                "the file needs pickled code to load and was refused; nothing in it was executed",
                where=str(path),
                fix="save the bare state dict with torch.save(network.state_dict(), FILE)",
            ) from error
        raise _no_checkpoint(path) from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError, OSError) as error:
        raise _no_checkpoint(path) from error


def _no_checkpoint(path: Path) -> UserError:
    return UserError(
        "the file is not a checkpoint, or it is damaged",
        where=str(path),
        fix="give a file that torch.save wrote: a state dict, or a checkpoint of a run of this project",
    )


def _no_state_dict(path: Path) -> UserError:
    return UserError(
        "the file holds no state dict (names and tensors)",
        where=str(path),
        fix="save the bare state dict with torch.save(network.state_dict(), FILE)",
    )


def load_state(module: nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Load a state dict strictly.

    Args:
        module: receives the tensors; unchanged when anything does not fit.
        state: names and tensors.
        source: the file, for the error.

    Raises:
        UserError: naming missing, unexpected and mis-shaped keys.
    """
    wanted = module.state_dict()
    problems = [Problem(key, "is missing") for key in wanted if key not in state]
    problems += [Problem(key, "is unexpected") for key in state if key not in wanted]
    problems += [
        Problem(key, f"has the shape {tuple(state[key].shape)}, the network wants {tuple(wanted[key].shape)}")
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    if problems:
        raise UserError(
            f"the checkpoint does not fit the network: {len(problems)} keys differ",
            where=str(source),
            problems=first_of(problems, "keys"),
            fix="choose the network that the checkpoint was made with, such as "
            "model.attention=sta, model.base_planes=..., model.layers=[...]",
        )
    module.load_state_dict(dict(state))
