"""Frames on disk: one folder of images per video, listed once, read one image at a time."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")

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
