"""What finished work depends on: it may be kept for as long as all of that is the same."""

from functools import cache
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import PIL
import torch
import torchvision

from depression_vr.data.contents import contents_digest
from depression_vr.settings import determining_settings
from depression_vr.trained import TrainedNetwork

_PACKAGE = Path(__file__).parent
_FROM_FRAME_TO_ESTIMATE = (
    "assembly.py", "building.py", "data", "faces/aligning", "learning", "memory.py", "models",
    "runs/bands.py", "runs/results.py", "trained.py",
)  # fmt: skip


def made_with(trained: TrainedNetwork, *also: str, frames: pd.DataFrame | None = None) -> dict[str, str]:
    """All that a network's estimates depend on, by name; not where anything lies.

    Args:
        trained: the network.
        also: modules and folders of this package that change what comes out, beside those that read frames
            and compute scores.
        frames: that are looked at, as `frame_contents` gives them; None where they are not of the corpus,
            which is not looked for then.

    Returns:
        Settings, digests of weights, code and frames, and versions of what reads, resizes and computes.
    """
    depends_on = determining_settings(trained.config) | {
        "weights": trained.checkpoint_digest,
        "tf32": str(trained.config.tf32),
        "code": _code_digest(*_FROM_FRAME_TO_ESTIMATE, *also),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "numpy": np.__version__,
        "device": trained.device.type,
    }
    if frames is not None:
        depends_on["corpus"] = trained.datamodule.manifest.fingerprint
        depends_on["pixels of the frames"] = contents_digest(frames)
    return depends_on


@cache
def _code_digest(*places: str) -> str:
    """SHA-256 of modules and templates, which tells more than a commit: what is not committed too."""
    digest = sha256()
    for place in places:
        for file in _modules(_PACKAGE / place):
            content = file.read_bytes()
            digest.update(b"%s\0%d\0" % (file.relative_to(_PACKAGE).as_posix().encode(), len(content)))
            digest.update(content)
    return digest.hexdigest()


def _modules(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    modules = sorted(file for file in place.rglob("*") if file.suffix in (".py", ".j2"))
    assert modules, f"{place} has been moved"
    return modules
