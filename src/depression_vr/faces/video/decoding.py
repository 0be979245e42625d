"""The pictures of a file, as far as it is whole, and what is damaged."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from depression_vr.faces.video.opening import average_rate, frames_in

# In other codecs a healthy packet may show nothing: VP8's hidden references, MPEG-4's frames "as before".
_ONE_FRAME_A_PACKET = ("h264", "hevc", "av1")
_EMPTY_PACKETS = 2  # packets of a healthy file that may give no frame
_CUT_OFF = 0.5  # seconds that a healthy file may end before its declared duration


class Damage:
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
        """Take in what the file announces."""
        self._announced = len(stream.index_entries)
        self._declared = stream.frames or frames_in(container, stream, average_rate(stream))
        self._silent_loss_shows = stream.codec_context.codec.canonical_name in _ONE_FRAME_A_PACKET

    def pass_by(self, packet: "Packet[Any]") -> None:
        """Note how far the file reaches, by a packet of any of its streams."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None:
            end = (stamp + (packet.duration or 0)) * packet.time_base
            self._reached = end if self._reached is None else max(end, self._reached)

    def read(self, packet: "Packet[Any]") -> None:
        """Count a packet of the video."""
        self._read += 1
        self._cut = packet.is_corrupt
        if packet.pts is None or packet.is_discard:
            return
        if not self.decoded:
            self._early.append(packet.pts)
        elif self._first is not None and packet.pts >= self._first:
            self._owing += 1

    def leave_out(self) -> None:
        """Count a frame, or a packet, that cannot be decoded whole."""
        self._left_out += 1

    def take(self, picture: av.VideoFrame) -> None:
        """Count a frame that was decoded."""
        self.decoded += 1
        if self.decoded == 1 and picture.pts is not None:
            # a recording may start with pictures that refer to earlier ones, which it does not hold
            self._first = picture.pts
            self._owing = sum(pts >= self._first for pts in self._early)
            self._early.clear()
        if picture.interlaced_frame:  # a packet may be half a picture
            self._silent_loss_shows = False

    def finish(self, container: InputContainer) -> None:
        """Note that the file was read to its end."""
        self._finished = True
        if container.duration is not None and self._reached is not None:
            declared = Fraction(container.duration + (container.start_time or 0), av.time_base)
            self._cut = self._cut or self._reached < declared - Fraction(_CUT_OFF)

    def described(self) -> str | None:
        """What is damaged, in words; None for a whole file."""
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


def pictures_of(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[av.VideoFrame]:
    """The pictures that can be decoded whole; ``damage`` keeps count of the others."""
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


def _decoded(stream: VideoStream, packet: "Packet[Any] | None", damage: Damage) -> Iterator[av.VideoFrame]:
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
