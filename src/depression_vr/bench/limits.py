"""What the machine can do at most: rates that other rows are held against."""

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from pydantic.dataclasses import dataclass
from skimage import data

from depression_vr.bench.rows import Measure, Row

FACE_SIDE = 224
"""Height and width of the JPEG picture, pixels."""

FACE_QUALITY = 95

_MATRIX_SIDE = 4096
_COPIED_BYTES = 2**29  # larger than any cache
_SECONDS = 0.5  # of one figure


def face_jpeg(side: int = FACE_SIDE) -> bytes:
    """The face of NASA's public-domain photograph of Eileen Collins as a JPEG file."""
    photograph = data.astronaut()[:270, 90:360]  # type: ignore[no-untyped-call]
    pixels = cv2.resize(photograph, (side, side), interpolation=cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=FACE_QUALITY)
    return file.getvalue()


def _rate(work: Callable[[], object], amount: float) -> float:
    """How much is done in a second by work that does ``amount`` at a time; after once to warm up."""
    work()
    began = time.perf_counter()
    times = 0
    while (passed := time.perf_counter() - began) < _SECONDS or not times:
        work()
        times += 1
    return times * amount / passed


def _matrix_product(dtype: torch.dtype) -> float:
    first, second = (torch.randn(_MATRIX_SIDE, _MATRIX_SIDE).to(dtype) for _ in range(2))
    product = torch.empty_like(first)
    return _rate(lambda: torch.mm(first, second, out=product), 2 * _MATRIX_SIDE**3)


def _copy() -> float:
    source = torch.ones(_COPIED_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    return _rate(lambda: target.copy_(source), 2 * _COPIED_BYTES)


def _decode() -> float:
    file = face_jpeg()
    return _rate(lambda: np.asarray(Image.open(io.BytesIO(file))), 1)


_PRODUCT = f"product of two matrices of {_MATRIX_SIDE}x{_MATRIX_SIDE}, all cores"

FLOAT32 = Measure(f"float32 {_PRODUCT}", "FLOP/s", lambda: _matrix_product(torch.float32))
BFLOAT16 = Measure(f"bfloat16 {_PRODUCT}", "FLOP/s", lambda: _matrix_product(torch.bfloat16))
COPY = Measure(f"copy of {_COPIED_BYTES >> 20} MiB, read and written, all cores", "B/s", _copy)
JPEG = Measure(f"JPEG of a face of {FACE_SIDE}x{FACE_SIDE} to RGB from memory, one core", "frames/s", _decode)


@dataclass(frozen=True)
class LimitsBenchmark:
    """The rates by themselves."""

    def rows(self, folder: Path) -> Sequence[Row]:
        """One row of each."""
        rates = {"float32": FLOAT32, "bfloat16": BFLOAT16, "copy": COPY, "jpeg": JPEG}
        return [Row(f"limit {name}", measured) for name, measured in rates.items()]
