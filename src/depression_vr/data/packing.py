"""Pack the frames of videos, an archive each, and see that it holds what their folders hold."""

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from depression_vr.data.frames import FrameFolder, is_frame
from depression_vr.data.packed import ARCHIVE, PackedFrames, frame_members, listed_frames
from depression_vr.errors import UserError
from depression_vr.files import replacing
from depression_vr.parallel import Tick


@dataclass(frozen=True)
class Packing:
    """A folder, mostly one video's, and where its frames go.

    Attributes:
        frames: in their folder; there may be none, or they may be packed already.
        target: the folder that gets the archive, and copies of what else lies in the first.
    """

    frames: FrameFolder
    target: Path


def packings(root: Path, out: Path) -> Sequence[Packing]:
    """All folders below ``root``, itself included; their targets lie alike below ``out``.

    Links to folders are followed, as whoever reads the frames follows them.

    Raises:
        UserError: ``root`` is no folder or holds no frame anywhere; one of the two lies in the other; a
            folder cannot be read, or holds both images and an archive; or a link leads to a folder around it.
    """
    if not root.is_dir():
        raise UserError(f"{root} is no folder", where="config key frames", fix="name a folder of frames")
    places = root.resolve(), out.resolve()
    if any(one.is_relative_to(other) for one, other in (places, places[::-1])):
        raise UserError(
            f"{root} and {out} lie in one another",
            where="config keys frames and out",
            fix="name another folder for out; the frames stay where they are",
        )
    with _told_to_the_user(root):
        found = [
            Packing(listed_frames(folder), out / folder.relative_to(root)) for folder in _folders(root, ())
        ]
    if not any(len(packing.frames) for packing in found):
        raise UserError(
            f"no folder in {root} holds a frame", where="config key frames", fix="name a folder of frames"
        )
    return found


def _folders(folder: Path, around: tuple[Path, ...]) -> Iterator[Path]:
    place = folder.resolve()
    if place in around:
        raise OSError(None, "this link leads to a folder around it", str(folder))
    yield folder
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    for name in names:
        yield from _folders(folder / name, (*around, place))


def pack(packing: Packing, tick: Tick) -> None:
    """Write a video's archive, unless it is there, and copy what else lies in its folder.

    Every frame is read back and compared before the archive takes its name. The bytes of the images are not
    touched, so their pixels are the same. An archive that holds the frames already is copied as it is.

    Args:
        packing: what is packed.
        tick: called once per frame.

    Raises:
        UserError: a file cannot be read or written; or a frame's name is not UTF-8.
    """
    frames = packing.frames
    with _told_to_the_user(frames.path):
        _copy_what_lies_beside(packing)
        if isinstance(frames, PackedFrames):
            for _ in range(len(frames)):
                tick()
        elif (same := _same_frames(packing, tick)) < len(frames):
            _write(packing, tick, same)


@contextmanager
def _told_to_the_user(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"a folder cannot be packed: {error.strerror or error}",
            where=str(error.filename or folder),
            fix="restore the file or folder, or make room, and use the same command again",
        ) from error


def _copy_what_lies_beside(packing: Packing) -> None:
    for file in packing.frames.path.iterdir():
        if file.is_dir() or is_frame(file.name):
            continue
        if not file.is_file():
            raise OSError(None, "it is no file, or a link to one that is gone", str(file))
        with replacing(packing.target / file.name) as copy, file.open("rb") as given:
            shutil.copyfileobj(given, copy)


def _same_frames(packing: Packing, tick: Tick) -> int:
    """How many frames, from the first on, an earlier call has packed as they are; none if others are there.

    An archive that cannot be read is none. Of one that can be, the checksums tell what was put into it.
    """
    frames = packing.frames
    try:
        members = frame_members(packing.target / ARCHIVE)
    except OSError:
        return 0
    if [os.fsencode(member.filename) for member in members] != frames.names.tolist():
        return 0
    for frame, member in enumerate(members):
        if zlib.crc32(frames.read(frame)) != member.CRC:
            return frame
        tick()
    return len(members)


def _write(packing: Packing, tick: Tick, counted: int) -> None:
    frames = packing.frames
    with replacing(packing.target / ARCHIVE) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for frame in range(len(frames)):
                archive.writestr(_member(frames, frame), frames.read(frame))
                if frame >= counted:
                    tick()
        file.flush()
        _compare(Path(file.name), frames)


def _member(frames: FrameFolder, frame: int) -> zipfile.ZipInfo:
    name = frames.name(frame)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            "the name of a frame is not UTF-8, as it must be in an archive",
            where=repr(str(frames.frame_path(frame))),
            fix="rename the frames",
        ) from error
    return zipfile.ZipInfo(name)


def _compare(archive: Path, frames: FrameFolder) -> None:
    with zipfile.ZipFile(archive) as packed:
        for frame in range(len(frames)):
            if packed.read(frames.name(frame)) != frames.read(frame):
                raise OSError(None, "it changed while it was packed", str(frames.frame_path(frame)))
