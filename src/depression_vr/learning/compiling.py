"""``compile=true``: the network's training passes through torch.compile."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig

from depression_vr.errors import UserError


def is_compiled(config: DictConfig) -> bool:
    """Whether a training of this config compiles its network; runs of earlier versions have no such key.

    Raises:
        UserError: the key is neither true nor false.
    """
    wanted = config.get("compile", False)
    if not isinstance(wanted, bool):
        raise UserError(f"{wanted!r} is no choice", where="config key compile", fix="use true or false")
    return wanted


def refuse_without_compiler(config: DictConfig) -> None:
    """Compile something small where the network is to be compiled, before anything is written.

    Raises:
        UserError: that fails.
    """
    if not is_compiled(config):
        return
    on_gpu = config.trainer.accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    with compiler_faults_explained(config):
        torch.compile(_line)(torch.ones(2, device="cuda" if on_gpu else "cpu"))


def _line(x: torch.Tensor) -> torch.Tensor:
    return 2 * x + 1


@contextmanager
def compiler_faults_explained(config: DictConfig) -> Iterator[None]:
    """Around what compiles.

    Raises:
        UserError: torch cannot compile here, or not this network. Other errors pass as they are.
    """
    if not is_compiled(config):
        yield
        return
    # a part of torch that takes a second
    from torch._dynamo.exc import BackendCompilerFailed, TorchDynamoException  # noqa: PLC0415

    try:
        yield
    except TorchDynamoException as error:
        in_backend = isinstance(error, BackendCompilerFailed)
        raise UserError(
            f"the network cannot be compiled here: {_cause(error)}",
            where="config key compile",
            fix="install a C++ compiler (g++, or another one named by the environment variable CXX), "
            "or train with compile=false"
            if in_backend
            else "train with compile=false",
        ) from error


def _cause(error: Exception) -> str:
    """Of a message of many lines, the one that names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    explanations = [line for line in lines if line.startswith("Explanation: ")]
    cause = next(iter(explanations + lines), type(error).__name__)
    return cause.removeprefix("Explanation: ").rpartition(": got ")[2]  # what an operation raised
