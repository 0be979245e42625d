"""Open a video file, or say why it is none, and read what it declares."""

import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

_PICTURES_IN_AUDIO = Disposition.attached_pic | Disposition.timed_thumbnails
_STILL_FORMATS = ("image2", "ico", "alias_pix", "brender_pix")
_STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1")
_TEXT_FORMATS = ("tty", "bin", "xbin", "adf", "idf")  # FFmpeg draws text files as films of a terminal
_MP4_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"skip")
_USUAL_RATE = 25  # frames/s, where the file says nothing


class VideoError(Exception):
    """A video that cannot be used; ``str(error)`` is the reason in one clause, without the path."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find its video, to be decoded in this thread.

    Raises:
        VideoError: why it cannot be used.
    """
    _check_file(path)
    try:
        with _container(path) as container:
            stream = _video_of(container)
            stream.thread_count = 1
            stream.thread_type = "NONE"
            yield container, stream
    except VideoError as error:
        if _is_mp4_without_index(path):
            raise VideoError("the file is cut off: its index is missing") from error
        raise


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise VideoError("a folder, not a video file")
        if not stat.S_ISREG(mode):
            raise VideoError("not a regular file")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise VideoError(f"cannot be read: {error.strerror}") from error
    if empty:
        raise VideoError("the file is empty")


def _container(path: Path) -> InputContainer:
    try:
        # "file:" keeps a colon in a name from meaning a protocol
        return av.open(f"file:{path}", mode="r", metadata_errors="replace")
    except av.InvalidDataError as error:
        raise VideoError("not a video") from error
    except av.EOFError as error:
        raise VideoError("the file is cut off: it ends within its header") from error
    except av.FFmpegError as error:
        raise VideoError(f"cannot be opened: {error.strerror}") from error


def _is_mp4_without_index(path: Path) -> bool:
    """Whether a file is a row of MP4 boxes that ends before a whole ``moov`` box."""
    size, start = path.stat().st_size, 0
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            length, kind = struct.unpack(">I4s", head[:8])
            if start == 0 and (kind not in _MP4_BOXES or head[8:12] in _STILL_BRANDS):
                return False
            if length == 1 and len(head) == 16:
                (length,) = struct.unpack(">Q", head[8:])
            start += length if length >= 8 else size
            if kind == b"moov":
                return start > size
            file.seek(start)
    return start > 0


def _video_of(container: InputContainer) -> VideoStream:
    if container.format.name in _TEXT_FORMATS:
        raise VideoError("not a video")
    if _is_still(container):
        raise VideoError("a still image, not a video")
    videos = [stream for stream in container.streams.video if not stream.disposition & _PICTURES_IN_AUDIO]
    if not videos:
        only = ", only audio" if container.streams.audio else ""
        raise VideoError(f"the file has no video{only}")
    best = container.streams.best("video")
    stream = next((video for video in videos if best is not None and video.index == best.index), videos[0])
    if stream.codec_context is None:
        raise VideoError("its video codec is not supported")
    return stream


def _is_still(container: InputContainer) -> bool:
    name = container.format.name
    brand = container.metadata.get("major_brand", "").encode()
    return name in _STILL_FORMATS or name.endswith("_pipe") or brand in _STILL_BRANDS


def average_rate(stream: VideoStream) -> Fraction:
    """Frames/s that the file declares, or the usual rate."""
    return stream.average_rate or stream.guessed_rate or Fraction(_USUAL_RATE)


def declared_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds; None where the file does not say."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def frames_in(container: InputContainer, stream: VideoStream, rate: float | Fraction) -> int | None:
    """How many frames the declared duration holds; a trimmed MP4 declares more frames than it shows."""
    duration = declared_duration(container, stream) or float(stream.frames / average_rate(stream))
    return max(1, round(duration * rate)) if duration else None
