"""All frames of a video in one file: a ZIP archive of the images as they are, in the video's folder."""

import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depression_vr.data.frame_names import compact_names
from depression_vr.data.frames import FrameFolder, is_frame

ARCHIVE = "frames.zip"

_HEADER = struct.Struct("<4s22xHH")  # of a member: signature, lengths of its name and of what follows that
_SIGNATURE = b"PK\x03\x04"


@dataclass(frozen=True, slots=True, eq=False)
class PackedFrames(FrameFolder):
    """The frames of a video whose folder holds them in `ARCHIVE`; named as they were in the folder.

    Attributes:
        starts: where the frames' headers are in the archive, ``(n,)``.
        sizes: of the frames, bytes, ``(n,)``.
    """

    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, archive: Path) -> "PackedFrames":
        """List an archive once.

        Raises:
            OSError: as `frame_members` does.
        """
        members = frame_members(archive)
        return cls(
            archive.parent,
            compact_names([os.fsencode(member.filename) for member in members]),
            np.array([member.header_offset for member in members], np.int64),
            np.array([member.file_size for member in members], np.int64),
        )

    @property
    def files(self) -> list[Path]:
        """The archive."""
        return [self.path / ARCHIVE]

    def frame_path(self, frame: int) -> Path:
        """The archive and in it the name of one frame: for people."""
        return self.path / ARCHIVE / self.name(frame)

    def read(self, frame: int) -> bytes:
        """What the file of one frame holds.

        Raises:
            OSError: the archive cannot be read, or is another one than was listed.
        """
        start, size = int(self.starts[frame]), int(self.sizes[frame])
        with (self.path / ARCHIVE).open("rb", buffering=0) as archive:
            archive.seek(start)
            header = archive.read(_HEADER.size)
            if len(header) == _HEADER.size:
                signature, name, extra = _HEADER.unpack(header)
                named = archive.read(name)
                archive.seek(extra, os.SEEK_CUR)
                content = archive.read(size)
                # what is not ASCII may be encoded in the archive in another way than in `names`
                same_name = named == self.names[frame] or not named.isascii()
                if signature == _SIGNATURE and same_name and len(content) == size:
                    return content
        raise OSError(None, "the archive has changed since it was listed", str(self.frame_path(frame)))


def frame_members(archive: Path) -> list[zipfile.ZipInfo]:
    """The frames in an archive, sorted by name. As in a folder, what lies in folders in it is left out.

    Raises:
        OSError: it cannot be read, is no ZIP archive, or its frames are compressed or all in folders.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            images = [each for each in opened.infolist() if is_frame(each.filename.rpartition("/")[2])]
    except (zipfile.BadZipFile, struct.error, NotImplementedError) as error:
        raise OSError(None, f"{archive.name} is no whole ZIP archive", str(archive)) from error
    members = [image for image in images if "/" not in image.filename]
    if images and not members:
        raise OSError(None, f"the frames in {archive.name} lie in folders", str(archive))
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise OSError(None, f"the frames in {archive.name} are compressed", str(archive))
    return sorted(members, key=lambda member: os.fsencode(member.filename))


def listed_frames(folder: Path) -> FrameFolder:
    """The frames of a video, one file each or all in an archive.

    Raises:
        OSError: the folder is missing, cannot be read, or holds frames in both ways.
    """
    files = FrameFolder.listed(folder)
    archive = folder / ARCHIVE
    if not archive.exists():
        return files
    if len(files):
        raise OSError(None, f"it holds {ARCHIVE} and images beside it", str(folder))
    return PackedFrames.of(archive)
