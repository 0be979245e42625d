"""The state of every random generator that training may draw from, as plain containers and tensors."""

import random
from typing import Any

import numpy as np
import torch


def random_state(device: torch.device) -> dict[str, Any]:
    """The state of the generators of this process: Python's, NumPy's, torch's, and that of its GPU.

    The project draws from its own; networks (dropout) and code of the user's own draw from these.

    Args:
        device: that the process computes on.
    """
    version, words, gauss = random.getstate()
    algorithm, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "python": [version, list(words), gauss],
        "numpy": [algorithm, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "gpu": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Go back to what `random_state` gave; a run that has moved between CPU and GPU draws anew there."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    algorithm, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if state["gpu"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["gpu"].cpu(), device)
