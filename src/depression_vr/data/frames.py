"""Frames on disk: one folder of images per video, listed once, read one image at a time."""

import io
import os
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch.nn import functional

from depression_vr.data.frame_names import FrameNames, compact_names
from depression_vr.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")

_HEADER_THREADS = 8

_JPEG = b"\xff\xd8"
_AS_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION

# what PIL's decoders raise of damaged files beside OSError
_DECODER_ERRORS = (SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class FrameFolder:
    """The frames of one video, sorted by file name.

    Attributes:
        path: the folder.
        names: file names. Those that preprocessing gives cost memory per gap in their numbers only; others
            lie in an array, 2 MB of 90,000, which worker processes share without copying.
    """

    path: Path
    names: FrameNames

    @classmethod
    def listed(cls, path: Path) -> "FrameFolder":
        """List a folder once. Hidden files and files that are no image are left out.

        Raises:
            OSError: the folder is missing or cannot be read.
        """
        with os.scandir(path) as entries:
            names = [
                os.fsencode(entry.name) for entry in entries if is_frame(entry.name) and not entry.is_dir()
            ]
        return cls(path, compact_names(sorted(names)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def files(self) -> Iterable[Path]:
        """The files that hold the frames."""
        return map(self.frame_path, range(len(self)))

    def name(self, frame: int) -> str:
        """File name of one frame, ``frame`` in ``0..len(self) - 1``."""
        return os.fsdecode(bytes(self.names[frame]))

    def frame_path(self, frame: int) -> Path:
        """Path of one frame."""
        return self.path / self.name(frame)

    def read(self, frame: int) -> bytes:
        """What the file of one frame holds.

        Raises:
            OSError: it cannot be read.
        """
        with open(os.path.join(self.path, self.name(frame)), "rb", buffering=0) as file:  # noqa: PTH118, PTH123
            return file.read()  # in a third of the time that pathlib takes


def is_frame(name: str) -> bool:
    """Whether a file of this name is a frame: an image, and not hidden."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def prevailing_size(folders: Sequence[FrameFolder]) -> tuple[int, int]:
    """Height and width that most videos' first frames have, the larger one of two; only those are read.

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
        with Image.open(io.BytesIO(folder.read(0))) as image:
            return image.height, image.width
    except (OSError, *_DECODER_ERRORS):
        return None  # whoever reads that frame says so


def read_frame(folder: FrameFolder, frame: int, size: tuple[int, int]) -> np.ndarray:
    """Read one frame as RGB, shape ``(H, W, 3)``, uint8 0..255, ``size`` being ``(H, W)``.

    Another size on disk is resized with the antialiased bicubic filter that the STA-DRN release takes from
    PIL; PyTorch's differs from it by two grey levels at most, in one value of a hundred, and takes a fifth of
    the time.

    Raises:
        OSError: the file is missing, or no image that can be decoded whole.
    """
    rgb = decoded(folder.read(frame))
    return rgb if rgb.shape[:2] == size else _resized(rgb, size)


def decoded(content: bytes) -> np.ndarray:
    """An image file's pixels as RGB, shape ``(H, W, 3)``, uint8 0..255.

    OpenCV decodes JPEG with the same library as PIL to the same pixels, in less time; only those of CMYK
    differ, by one grey level. It gives nothing for a file that is cut off, but decodes a few of those damaged
    in the middle that PIL refuses. Whatever OpenCV does not decode, PIL is asked for.

    Raises:
        OSError: that is no image that can be decoded whole.
    """
    if content.startswith(_JPEG):
        rgb = cv2.imdecode(np.frombuffer(content, np.uint8), _AS_RGB)
        if rgb is not None:
            return rgb
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.array(image.convert("RGB"))
    except UnidentifiedImageError as error:  # PIL names the bytes' place in memory
        raise OSError("it is no image") from error
    except _DECODER_ERRORS as error:
        raise OSError(str(error)) from error


def _resized(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    frames = torch.from_numpy(rgb)[None].permute(0, 3, 1, 2)  # colours last: the fast way
    (resized,) = functional.interpolate(frames, size, mode="bicubic", antialias=True)
    return resized.permute(1, 2, 0).numpy()
