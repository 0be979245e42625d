"""Short films for tests: every picture carries its number, so that a test can tell which one it sees."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

OPTIONS = {
    "libx265": {"x265-params": "log-level=none"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
CLOCKWISE = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
LEFT_RIGHT_MIRRORED = (-1, 0, 0, 1)
_BITS = 8


def numbered(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture whose eight columns are the bits of its number, white or black, above a strip of noise."""
    bits = np.array([number >> bit & 1 for bit in range(_BITS)], np.uint8)
    row = np.repeat(bits, -(-width // _BITS))[:width] * 200 + 20
    picture = np.broadcast_to(row[None, :, None], (height, width, 3)).copy()
    picture[-16:] = np.random.default_rng(number).integers(0, 256, (16, width, 3))
    return picture


def number_in(rgb: np.ndarray) -> int:
    """The number in a picture that `numbered` drew."""
    height, width = rgb.shape[:2]
    column = -(-width // _BITS)
    levels = [rgb[: height // 3, bit * column : (bit + 1) * column].mean() for bit in range(_BITS)]
    return sum(1 << bit for bit, level in enumerate(levels) if level > 120)


def write_film(
    path: Path,
    frames: int | Iterable[np.ndarray] = 30,
    codec: str = "libx264",
    rate: int | Fraction = 30,
    stamps: Sequence[int] | None = None,
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    muxing: Mapping[str, str] | None = None,
    seconds_of_sound: float = 0,
) -> Path:
    """Encode numbered pictures, or those given; ``stamps`` are their times in milliseconds."""
    pictures = [numbered(number) for number in range(frames)] if isinstance(frames, int) else list(frames)
    with av.open(str(path), "w", options=dict(muxing or {})) as container:
        stream = container.add_stream(codec, rate=rate, options={**OPTIONS.get(codec, {}), **(options or {})})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream("aac", rate=16000, layout="mono") if seconds_of_sound else None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for number in range(int(seconds_of_sound * 16000 / 1024)):
                container.mux(sound.encode(_silence(number)))
            container.mux(sound.encode(None))
    return path


def write_sound(path: Path, cover: np.ndarray | None = None) -> Path:
    """Half a second of silence, with a picture as cover art if one is given."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        if cover is not None:
            art = container.add_stream("mjpeg", rate=1)
            art.height, art.width = cover.shape[:2]
            art.pix_fmt = "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
            container.mux(art.encode(av.VideoFrame.from_ndarray(cover, format="rgb24")))
            container.mux(art.encode(None))
        for number in range(8):
            container.mux(sound.encode(_silence(number)))
        container.mux(sound.encode(None))
    return path


def _silence(number: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
    frame.sample_rate = 16000
    frame.pts = number * 1024
    return frame


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write ``(a, b, c, d)`` of a display matrix into the track header of an MP4 file, as phones do."""
    content = bytearray(path.read_bytes())
    a, b, c, d = (number << 16 for number in matrix)
    start = content.index(b"tkhd") + 4 + 40
    whole = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    content[start : start + len(whole)] = whole
    path.write_bytes(content)
    return path


def cut(path: Path, fraction: float) -> Path:
    """Keep the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path


def overwrite_packets(path: Path, numbers: Iterable[int]) -> Path:
    """Destroy the content of some packets of a video, counted from 0 in the order of decoding."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        position, size = places[number]
        content[position + 8 : position + size] = b"\xff" * (size - 8)
    path.write_bytes(content)
    return path
