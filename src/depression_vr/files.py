"""Files that are there whole or not at all."""

import errno
import hashlib
import json
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors of a full disk, and of a user's full share of it."""
_HALF_WRITTEN = re.compile(r"\..+\.\d+")  # as `replacing` names them


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes its name only when the block has ended and its bytes are on the disk.

    Until then it has a temporary name in the same folder; after an error it is gone, and what had the name
    before is as it was.

    Raises:
        OSError: with the file's own name, which is not that of the temporary file or, on a full disk, none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # one without a number would forget its text
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            error.filename = str(path)
            del error.filename2
        raise


def remove_half_written(folder: Path) -> None:
    """Remove what a killed process had not yet given its name, below a folder."""
    for path in folder.rglob(".*"):
        if _HALF_WRITTEN.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write to a temporary name in the same folder, then rename."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON that every reader takes: a NaN becomes null."""
    write_text(path, json_text(content) + "\n")


def json_text(content: Any) -> str:
    """JSON over several lines; a NaN becomes null."""
    return json.dumps(_without_nan(content), indent=2)


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; numbers read back to the last bit."""
    write_text(path, table.to_csv(index=False))


def content_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole_archive(path: Path) -> bool:
    """Whether a zip file, as checkpoints are, is as it was written: the checksums of all its parts agree."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError):
        return False
