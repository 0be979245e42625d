"""Frames on disk: one folder of images per video, listed once, read one image at a time."""

import os
import struct
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from depression_vr.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")

_HEADER_THREADS = 8

# what PIL's decoders raise of damaged files beside OSError
_DECODER_ERRORS = (SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True)
class FrameFolder:
    """The frames of one video, sorted by file name.

    Attributes:
        path: the folder.
        names: file names, shape ``(n,)``, fixed-width bytes: 90,000 names cost 2 MB, and worker
            processes share them without copying.
    """

    path: Path
    names: np.ndarray

    @classmethod
    def listed(cls, path: Path) -> "FrameFolder":
        """List a folder once. Hidden files and files that are no image are left out.

        Raises:
            OSError: the folder is missing or cannot be read.
        """
        with os.scandir(path) as entries:
            names = [
                os.fsencode(entry.name)
                for entry in entries
                if entry.name.lower().endswith(IMAGE_SUFFIXES)
                and not entry.name.startswith(".")
                and not entry.is_dir()
            ]
        return cls(path, np.array(sorted(names), dtype=np.bytes_))

    def __len__(self) -> int:
        return len(self.names)

    def frame_path(self, frame: int) -> Path:
        """Path of one frame, ``frame`` in ``0..len(self) - 1``."""
        return self.path / os.fsdecode(bytes(self.names[frame]))


def prevailing_size(folders: Sequence[FrameFolder]) -> tuple[int, int]:
    """Height and width that most videos' first frames have, the larger one of two; only headers are read.

    Raises:
        UserError: no first frame can be opened.
    """
    with ThreadPoolExecutor(_HEADER_THREADS) as pool:
        sizes = Counter(filter(None, pool.map(_first_size, folders)))
    if not sizes:
        raise UserError(
            "no video's first frame can be opened", where=str(folders[0].path), fix="restore the frames"
        )
    return max(sizes, key=lambda size: (sizes[size], size))


def _first_size(folder: FrameFolder) -> tuple[int, int] | None:
    try:
        with Image.open(folder.frame_path(0)) as image:
            return image.height, image.width
    except (OSError, *_DECODER_ERRORS):
        return None  # whoever reads that frame says so


def read_frame(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read one frame as RGB, shape ``(H, W, 3)``, uint8 0..255, ``size`` being ``(H, W)``.

    Another size on disk is resized with PIL's antialiased bicubic filter, as the STA-DRN release does.

    Raises:
        OSError: the file is missing, or no image that can be decoded whole.
    """
    height, width = size
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
    except _DECODER_ERRORS as error:
        raise OSError(str(error)) from error
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(rgb)
