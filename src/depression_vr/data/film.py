"""Write generated frames as a video."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
from av import VideoStream


def write_mp4(path: Path, frames: Iterable[np.ndarray], rate: float, bit_rate: int | None = None) -> None:
    """Write an MP4 file: H.264 where PyAV has an encoder for it, else MPEG-4 part 2.

    Args:
        path: the file; any suffix.
        frames: RGB, ``(H, W, 3)``, uint8, all of one size with even sides; one at least.
        rate: frames per second.
        bit_rate: bits per second; None for a size that shows no loss.
    """
    codec, options, lossless = "libx264", {"preset": "veryfast"}, {"crf": "18"}
    if codec not in av.codecs_available:
        codec, options, lossless = "mpeg4", {}, {"q:v": "2"}
    frames = iter(frames)
    first = next(frames)
    with av.open(str(path), "w", format="mp4") as container:
        added = container.add_stream(
            codec,
            rate=Fraction(rate).limit_denominator(1001),
            options=options if bit_rate else {**options, **lossless},
        )
        stream = cast(VideoStream, added)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        if bit_rate:
            stream.bit_rate = bit_rate
        for frame in chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
