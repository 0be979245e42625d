"""What a run was made with: code, packages and hardware."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

# what measuring writes is no code: otherwise every result but the first would be one of changed code
_RESULTS = tuple(f":(exclude,glob)**/experiments/{name}" for name in ("results.csv", "README.md"))


@dataclass(frozen=True)
class CodeState:
    """The project's code in git.

    Attributes:
        commit: hash of the commit, or nothing outside a git checkout.
        diff: everything that differs from the commit but measured results, untracked files by name.
    """

    commit: str | None
    diff: str


def code_state() -> CodeState:
    """The state of the checkout that this package runs from."""
    folder = Path(__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return CodeState(None, "")  # installed elsewhere, or inside somebody else's repository
    commit = _git(folder, "rev-parse", "HEAD")
    top = _git(folder, "rev-parse", "--show-toplevel")
    root = Path((top or str(folder)).strip())
    diff = _git(root, "diff", "HEAD", "--", ".", *_RESULTS) or ""
    untracked = _git(root, "ls-files", "--others", "--exclude-standard") or ""
    diff += "".join(f"untracked: {name}\n" for name in untracked.splitlines())
    return CodeState(commit.strip() if commit else None, diff)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, errors="replace"
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def packages() -> dict[str, str]:
    """Name and version of every installed package, by name."""
    found: dict[str, str] = {}
    for installed in metadata.distributions():
        if installed.name:  # an installation that was broken off leaves a folder without one
            found.setdefault(installed.name.lower(), installed.version)  # the first is what is imported
    return dict(sorted(found.items()))


def hardware() -> dict[str, Any]:
    """Processor, memory, devices and the threads that torch uses."""
    return {
        "platform": platform.platform(),
        "python": sys.version.split()[0],
        "processor": platform.processor() or platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "torch_threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }
