"""A preprocessed video at a glance: some of its frames, and where its face was seen and where not."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from depression_vr.data.frames import FrameFolder, read_frame
from depression_vr.data.packed import listed_frames
from depression_vr.faces.aligning.smoothing import State
from depression_vr.faces.output import QUALITY

STATE_COLOURS: dict[State, tuple[int, int, int]] = {
    "tracked": (150, 188, 230),
    "detected": (52, 108, 181),
    "interpolated": (240, 188, 60),
    "lost": (200, 48, 48),
}
"""RGB, the states that tell more later: of the frames that share a pixel the latest state is shown."""

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FRAMES_IN_A_ROW = 12
_BAND = (16, 16, 16)
_TEXT = (216, 216, 216)


def contact_sheet(folder: Path, frames: int = 12, side: int = 128) -> np.ndarray:
    """Frames spread evenly over the written frames of a video, each with its number and time below.

    Args:
        folder: of a finished video.
        frames: how many; twelve stand in a row. Where the video has fewer, the rest is black.
        side: of one frame in the picture, pixels.

    Returns:
        RGB, shape ``(rows * (side + caption), columns * side, 3)``, uint8. A frame that cannot be decoded
        is black, with a caption that says so.

    Raises:
        OSError: the folder or its quality table cannot be read.
        ValueError: the quality table is no Parquet file.
    """
    listed = listed_frames(folder)
    quality = pd.read_parquet(folder / QUALITY, columns=["frame", "time"])
    times = dict(zip(quality["frame"].tolist(), quality["time"].tolist(), strict=True))
    text_height = max(8, round(0.1 * side))
    font = ImageFont.load_default(text_height)
    tile_height = side + round(1.6 * text_height)
    columns = min(frames, _FRAMES_IN_A_ROW)
    sheet = Image.new("RGB", (columns * side, math.ceil(frames / columns) * tile_height))
    shown = min(frames, len(listed))
    for place in range(shown):
        frame = (2 * place + 1) * len(listed) // (2 * shown)
        corner = (place % columns * side, place // columns * tile_height)
        sheet.paste(_tile(listed, frame, times, font, (side, tile_height)), corner)
    return np.asarray(sheet)


def _tile(
    listed: FrameFolder, frame: int, times: dict[int, float], font: _Font, size: tuple[int, int]
) -> Image.Image:
    """One frame and its caption; a picture of its own, so that a long caption ends with it."""
    side, height = size
    number = int(listed.frame_path(frame).stem.rpartition("_")[2])
    caption = f"{number} · {clock(times[number])}" if number in times else str(number)
    tile = Image.new("RGB", size, _BAND)
    try:
        tile.paste(Image.fromarray(read_frame(listed, frame, (side, side))))
    except OSError:
        caption = f"{number} · unreadable"
    ImageDraw.Draw(tile).text((side / 2, (side + height) / 2), caption, _TEXT, font, anchor="mm")
    return tile


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds.

    >>> clock(75.25), clock(3599.96), clock(3675)
    ('1:15.2', '1:00:00.0', '1:01:15.0')
    """
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes_of_hour = divmod(minutes, 60)
    before = f"{hours}:{minutes_of_hour:02}" if hours else f"{minutes}"
    return f"{before}:{rest / 10:04.1f}"


def timeline(states: Sequence[str], width: int = 960, height: int = 10) -> np.ndarray:
    """A bar over the frames of a video in the colours of their states.

    Where several frames share a pixel, it shows a lost frame first, so that no gap is too short to be seen,
    then an interpolated, a detected and a tracked one.

    Args:
        states: the column ``state`` of the quality table.
        width: pixels.
        height: pixels.

    Returns:
        RGB, shape ``(height, width, 3)``, uint8; black where there are no frames.
    """
    if not len(states):
        return np.zeros((height, width, 3), np.uint8)
    ranks = pd.Index(list(STATE_COLOURS)).get_indexer(pd.Index(states))
    starts = np.arange(width) * len(ranks) // width
    bar = np.array(list(STATE_COLOURS.values()), np.uint8)[np.maximum.reduceat(ranks, starts)]
    return np.broadcast_to(bar, (height, width, 3)).copy()
