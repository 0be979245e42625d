"""Frames are decoded to PIL's pixels, and resized to PIL's within two grey levels."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from depression_vr.data.frames import FrameFolder, decoded, read_frame


def picture(width: int = 83, height: int = 57) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


ROTATED = Image.Exif()
ROTATED[0x0112] = 6  # orientation: a viewer would turn it


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encoded(picture(), "JPEG", quality=95, subsampling=0), id="4:4:4"),
        pytest.param(encoded(picture(), "JPEG", quality=95, subsampling=1), id="4:2:2"),
        pytest.param(encoded(picture(), "JPEG", quality=95, subsampling=2), id="4:2:0"),
        pytest.param(encoded(picture(), "JPEG", quality=40), id="coarse"),
        pytest.param(encoded(picture(), "JPEG", progressive=True), id="progressive"),
        pytest.param(encoded(picture(), "JPEG", exif=ROTATED), id="orientation"),
        pytest.param(encoded(picture().convert("L"), "JPEG"), id="grey"),
        pytest.param(encoded(picture(), "JPEG") + b"more", id="more behind it"),
        pytest.param(encoded(picture(), "PNG"), id="PNG"),
        pytest.param(encoded(picture().convert("P"), "PNG"), id="palette"),
        pytest.param(encoded(picture().convert("RGBA"), "PNG"), id="RGBA"),
        pytest.param(encoded(picture(), "BMP"), id="BMP"),
    ],
)
def test_pixels_are_pils(content: bytes) -> None:
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(decoded(content), expected)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xd8", id="only the first bytes"),
        pytest.param(b"not an image", id="text"),
        pytest.param(encoded(picture(), "JPEG")[:700], id="a part"),
        pytest.param(encoded(picture(), "JPEG")[:-50], id="without its end"),
        pytest.param(encoded(picture(), "PNG")[:700], id="a part of a PNG"),
    ],
)
def test_what_is_not_whole_is_refused(content: bytes) -> None:
    with pytest.raises(OSError, match=r"\S"):
        decoded(content)


@pytest.mark.parametrize("size", [(40, 40), (57, 80), (64, 96)], ids=str)
def test_resized_pixels_are_pils_within_two_grey_levels(tmp_path: Path, size: tuple[int, int]) -> None:
    picture().save(tmp_path / "frame.png")
    expected = np.asarray(picture().resize(size[::-1], Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(read_frame(FrameFolder.listed(tmp_path), 0, size) - expected)
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.02
