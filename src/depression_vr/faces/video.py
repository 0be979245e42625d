"""Raw videos, decoded frame by frame: upright pictures, true timestamps, and what is damaged in the file.

Memory does not grow with the length of a video. PyAV (FFmpeg) reads the containers and codecs.
"""

import math
import stat
import struct
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

_PICTURES_IN_AUDIO = Disposition.attached_pic | Disposition.timed_thumbnails
_STILL_FORMATS = ("image2", "ico", "alias_pix", "brender_pix")
_STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1")
_TEXT_FORMATS = ("tty", "bin", "xbin", "adf", "idf")  # FFmpeg draws text files as films of a terminal
_MP4_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"skip")

_FORMATS_WITHOUT_PTS = ("avi",)  # FFmpeg guesses them, wrongly where there are B-frames; its dts are right

# In other codecs a healthy packet may show nothing: VP8's hidden references, MPEG-4's frames "as before".
_ONE_FRAME_A_PACKET = ("h264", "hevc", "av1")
_EMPTY_PACKETS = 2  # packets of a healthy file that may give no frame

_UNEVEN = 0.1  # of the mean interval
_STEP_BACK = 1.0  # seconds; more is a recording that begins anew
_STEP_AHEAD = 60.0  # seconds; more is no pause, and resampling would fill it with copies
_CUT_OFF = 0.5  # seconds that a healthy file may end before its declared duration
_USUAL_RATE = 25  # frames/s, where the file says nothing


class VideoError(Exception):
    """A video that cannot be used; ``str(error)`` is the reason in one clause, without the path."""


@dataclass(frozen=True)
class VideoHeader:
    """What a file says of its video before it is read.

    Attributes:
        width: of the upright picture, pixels.
        height: of the upright picture, pixels.
        rotation: by how many degrees the stored picture is turned clockwise to be upright: 0, 90, 180 or 270.
        frame_rate: average frames/s that the file declares.
        frames: how many frames a reader will yield, an estimate for progress bars; None when unknown.
        duration: seconds; None when unknown.
    """

    width: int
    height: int
    rotation: int
    frame_rate: float
    frames: int | None
    duration: float | None


@dataclass(frozen=True)
class _Upright:
    """How stored pictures become upright ones of one size."""

    width: int  # of the stored picture, pixels
    height: int
    rotation: int = 0
    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def of(cls, picture: av.VideoFrame) -> "_Upright":
        """Read a picture's display matrix, which sends stored (p, q) to upright (a p + c q, b p + d q)."""
        side_data: Any = picture.side_data  # PyAV's types know of motion vectors only
        if "DISPLAYMATRIX" not in side_data:
            return cls(picture.width, picture.height)
        matrix = np.frombuffer(side_data["DISPLAYMATRIX"], np.int32)
        a, b, c, d = (int(matrix[position]) for position in (0, 1, 3, 4))
        turn = round(math.degrees(math.atan2(-c, d)) / 90) % 4
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(picture.width, picture.height, turn * 90, True, c < 0, b < 0)
        return cls(picture.width, picture.height, turn * 90, False, a < 0, d < 0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, pixels."""
        return (self.height, self.width) if self.transposed else (self.width, self.height)

    def rgb(self, picture: av.VideoFrame) -> np.ndarray:
        """Convert, scale where the size differs, turn: ``(H, W, 3)``, uint8, contiguous."""
        # threads: swscale would start one a core for every conversion, in each worker process
        pixels = picture.to_ndarray(format="rgb24", width=self.width, height=self.height, threads=1)
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        pixels = pixels[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]
        return np.ascontiguousarray(pixels)


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a video.

    Attributes:
        number: counts the frames that the reader yields, from 1.
        source: counts the frames decoded from the file, from 1: the one that is shown here.
        time: seconds since the first decoded frame; ``(number - 1) / fps`` when resampled.
    """

    number: int
    source: int
    time: float
    _picture: av.VideoFrame = field(repr=False, compare=False)
    _upright: _Upright = field(repr=False, compare=False)

    def rgb(self) -> np.ndarray:
        """The upright picture, ``(H, W, 3)``, uint8 0..255, contiguous; converted anew at each call.

        A picture whose size differs from the first one's is scaled to the size in the header.
        """
        return self._upright.rgb(self._picture)


class VideoReader:
    """Reads the frames of a video file, as often as it is iterated.

    Times come from the file's timestamps and never go back. Where a timestamp is missing, time continues by
    the average rate; where it goes back, time stands still; where it goes back by more than a second or ahead
    by more than a minute, as in joined or damaged recordings, time runs on by one interval and follows the
    timestamps from there.

    With ``fps``, the frame at time ``k / fps`` is the decoded one whose time is nearest, of two the earlier.
    The last such time may pass that of the last decoded frame by less than half of the shorter interval.

    Frames that cannot be decoded whole are left out and counted in `damage`.

    Args:
        path: the video file.
        fps: frames/s to resample to; None yields every decoded frame at its own time.
        threads: of the decoder. With more than one, a video that is damaged in its last packets may lose some
            frames more.

    Raises:
        VideoError: in `header` and while iterating, when the file cannot be used.
    """

    def __init__(self, path: Path, fps: float | None = None, threads: int = 1) -> None:
        if fps is not None and not fps > 0:
            raise ValueError(f"fps must be above 0, not {fps}")
        self._path = path
        self._fps = fps
        self._threads = threads
        self._clock = _Clock()
        self._damage = _Damage()

    def header(self) -> VideoHeader:
        """Open the file and decode its first frame.

        Raises:
            VideoError: the file cannot be used.
        """
        with _opened(self._path, threads=1) as (container, stream):
            picture = next(_pictures(container, stream, _Damage()), None)
            if picture is None:
                raise VideoError("no frame of its video can be decoded")
            upright = _Upright.of(picture)
            rate = _average_rate(stream)
            return VideoHeader(
                *upright.size,
                rotation=upright.rotation,
                frame_rate=float(rate),
                frames=_frames_in(container, stream, self._fps or rate),
                duration=_declared_duration(container, stream),
            )

    def __iter__(self) -> Iterator[VideoFrame]:
        self._clock = _Clock()
        self._damage = _Damage()
        frames = self._frames(self._clock, self._damage)
        return frames if self._fps is None else _resampled(frames, self._fps, self._clock)

    def _frames(self, clock: "_Clock", damage: "_Damage") -> Generator[VideoFrame, None, None]:
        with _opened(self._path, self._threads) as (container, stream):
            clock.start(stream, by_dts=container.format.name in _FORMATS_WITHOUT_PTS)
            upright = None
            for picture in _pictures(container, stream, damage):
                upright = upright or _Upright.of(picture)
                yield VideoFrame(damage.decoded, damage.decoded, clock.time(picture), picture, upright)
            if upright is None:
                raise VideoError("no frame of its video can be decoded")

    @property
    def decoded(self) -> int:
        """How many frames the latest iteration decoded from the file."""
        return self._damage.decoded

    @property
    def damage(self) -> str | None:
        """What the latest iteration found damaged; None for a whole file. Known when it has ended."""
        return self._damage.described()

    @property
    def variable_frame_rate(self) -> bool:
        """Whether times in the latest iteration differ from an even rate by more than 10% of an interval.

        Rounding of timestamps does not count; a gap that damage left does.
        """
        return self._clock.uneven

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last one that the latest iteration decoded."""
        return self._clock.end


def _resampled(
    frames: Generator[VideoFrame, None, None], fps: float, clock: "_Clock"
) -> Iterator[VideoFrame]:
    number = 1
    before: VideoFrame | None = None
    with closing(frames):
        for frame in frames:
            if before is not None:
                middle = (before.time + frame.time) / 2 + 1e-6
                while (number - 1) / fps <= middle:
                    yield replace(before, number=number, time=(number - 1) / fps)
                    number += 1
            before = frame
    if before is None:
        return
    last = before.time + min(1 / fps, clock.end - before.time) / 2
    while (number - 1) / fps < last:
        yield replace(before, number=number, time=(number - 1) / fps)
        number += 1


class _Clock:
    """Turns timestamps into seconds that never go back, and keeps count of how even they are."""

    def __init__(self) -> None:
        self._frames = 0
        self.end = 0.0  # of the latest picture, seconds
        self._now = 0.0
        self._shift = 0.0
        self._shortest = math.inf
        self._longest = 0.0

    def start(self, stream: VideoStream, by_dts: bool) -> None:
        self._tick = stream.time_base or Fraction(1, 1000)
        self._interval = float(1 / _average_rate(stream))
        self._by_dts = by_dts
        self._first: int | None = None

    def time(self, picture: av.VideoFrame) -> float:
        """Seconds since the first picture."""
        stamp = picture.dts if self._by_dts else picture.pts
        if self._frames:
            self._move_to(self._stamped(stamp))
        elif stamp is not None:
            self._first = stamp
        self._frames += 1
        self.end = self._now + (float(picture.duration * self._tick) or self._mean_interval())
        return self._now

    def _stamped(self, stamp: int | None) -> float:
        if stamp is None:
            return self._now + self._interval
        if self._first is None:
            self._first, self._shift = stamp, self._now + self._interval
        time = float((stamp - self._first) * self._tick) + self._shift
        if not -_STEP_BACK <= time - self._now <= _STEP_AHEAD:
            self._shift += self._now + self._interval - time
            return self._now + self._interval
        return max(time, self._now)

    def _move_to(self, time: float) -> None:
        self._shortest = min(self._shortest, time - self._now)
        self._longest = max(self._longest, time - self._now)
        self._now = time

    def _mean_interval(self) -> float:
        return self._now / (self._frames - 1) if self._now else self._interval

    @property
    def uneven(self) -> bool:
        if self._frames < 3:
            return False
        mean = self._mean_interval()
        rounding = float(self._tick) if mean > 2 * self._tick else 0.0
        return max(self._longest - mean, mean - self._shortest) > _UNEVEN * mean + rounding


class _Damage:
    """Counts what a file announces, what is read of it and what can be decoded."""

    def __init__(self) -> None:
        self.decoded = 0
        self._left_out = 0
        self._read = 0
        self._owing = 0
        self._early: list[int] = []
        self._first: int | None = None
        self._cut = False
        self._announced = 0
        self._declared: int | None = None
        self._silent_loss_shows = False
        self._finished = False
        self._reached: Fraction | None = None

    def start(self, container: InputContainer, stream: VideoStream) -> None:
        self._announced = len(stream.index_entries)
        self._declared = stream.frames or _frames_in(container, stream, _average_rate(stream))
        self._silent_loss_shows = stream.codec_context.codec.canonical_name in _ONE_FRAME_A_PACKET

    def pass_by(self, packet: "Packet[Any]") -> None:
        """Note how far the file reaches, by a packet of any of its streams."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None:
            end = (stamp + (packet.duration or 0)) * packet.time_base
            self._reached = end if self._reached is None else max(end, self._reached)

    def read(self, packet: "Packet[Any]") -> None:
        self._read += 1
        self._cut = packet.is_corrupt
        if packet.pts is None or packet.is_discard:
            return
        if not self.decoded:
            self._early.append(packet.pts)
        elif self._first is not None and packet.pts >= self._first:
            self._owing += 1

    def leave_out(self) -> None:
        self._left_out += 1

    def take(self, picture: av.VideoFrame) -> None:
        self.decoded += 1
        if self.decoded == 1 and picture.pts is not None:
            # a recording may start with pictures that refer to earlier ones, which it does not hold
            self._first = picture.pts
            self._owing = sum(pts >= self._first for pts in self._early)
            self._early.clear()
        if picture.interlaced_frame:  # a packet may be half a picture
            self._silent_loss_shows = False

    def finish(self, container: InputContainer) -> None:
        self._finished = True
        if container.duration is not None and self._reached is not None:
            declared = Fraction(container.duration + (container.start_time or 0), av.time_base)
            self._cut = self._cut or self._reached < declared - Fraction(_CUT_OFF)

    def described(self) -> str | None:
        if self._finished and self._cut:
            of = f" of {self._declared}" if self._declared and self._declared > self.decoded else ""
            return f"truncated: {self.decoded}{of} frames could be decoded"
        lost = self._left_out + (self._unread() + self._lost_silently() if self._finished else 0)
        if not lost:
            return None
        return f"{lost} damaged packets were left out" if lost > 1 else "1 damaged packet was left out"

    def _unread(self) -> int:
        return max(0, self._announced - self._read)

    def _lost_silently(self) -> int:
        lost = self._owing - self._left_out - self.decoded
        return lost if self._silent_loss_shows and lost > _EMPTY_PACKETS else 0


def _pictures(container: InputContainer, stream: VideoStream, damage: _Damage) -> Iterator[av.VideoFrame]:
    damage.start(container, stream)
    for packet in _packets(container):
        damage.pass_by(packet)
        if packet.stream.index == stream.index and packet.size:
            damage.read(packet)
            yield from _decoded(stream, packet, damage)
    yield from _decoded(stream, None, damage)
    damage.finish(container)


def _packets(container: InputContainer) -> Iterator["Packet[Any]"]:
    """Packets of all streams, up to where the file can be read."""
    try:
        yield from container.demux()
    except av.FFmpegError:
        return


def _decoded(stream: VideoStream, packet: "Packet[Any] | None", damage: _Damage) -> Iterator[av.VideoFrame]:
    if packet is not None and packet.is_corrupt:
        damage.leave_out()
        return
    try:
        pictures = stream.decode(packet)
    except av.FFmpegError:
        damage.leave_out()
        return
    for picture in pictures:
        if picture.is_corrupt:
            damage.leave_out()
        else:
            damage.take(picture)
            yield picture


@contextmanager
def _opened(path: Path, threads: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    _check_file(path)
    try:
        with _container(path) as container:
            stream = _video_of(container)
            stream.thread_count = threads
            stream.thread_type = "AUTO" if threads > 1 else "NONE"
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


def _average_rate(stream: VideoStream) -> Fraction:
    return stream.average_rate or stream.guessed_rate or Fraction(_USUAL_RATE)


def _declared_duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _frames_in(container: InputContainer, stream: VideoStream, rate: float | Fraction) -> int | None:
    """How many frames the declared duration holds; a trimmed MP4 declares more frames than it shows."""
    duration = _declared_duration(container, stream) or float(stream.frames / _average_rate(stream))
    return max(1, round(duration * rate)) if duration else None
