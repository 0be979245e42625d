"""Digests of frames that were read before, in the user's cache folder."""

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from depression_vr.files import write_json

_SECONDS_BETWEEN_WRITES = 10.0


@dataclass(frozen=True)
class Known:
    """What is known of the frames in one folder.

    Attributes:
        state: of the files when they were read.
        digest: of what they hold.
    """

    state: str
    digest: str


_ENTRIES = TypeAdapter(dict[str, Known])


class ContentsCache:
    """One file for all folders of a corpus. Where it cannot be read or written, nothing is known.

    Args:
        folders: of all videos of the corpus, absolute.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.file = _cache_folder() / f"{_key(Path(os.path.commonpath(list(folders))))}.json"
        self._entries = self._read()
        self._added: dict[str, Known] = {}
        self._written = time.monotonic()

    def find(self, folder: Path, state: str) -> str | None:
        """The digest of a folder whose files are in the state that they were read in."""
        known = self._entries.get(_key(folder))
        return known.digest if known is not None and known.state == state else None

    def add(self, folder: Path, state: str, digest: str) -> None:
        """Keep a digest; it is on disk some seconds later, or with `write`."""
        self._added[_key(folder)] = Known(state, digest)
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Write what was added to what is on disk, where another process may have written too."""
        if not self._added:
            return
        self._written = time.monotonic()
        try:
            write_json(self.file, _ENTRIES.dump_python(self._read() | self._added))
        except OSError:
            return
        self._added.clear()

    def _read(self) -> dict[str, Known]:
        try:
            return _ENTRIES.validate_json(self.file.read_bytes())
        except (OSError, ValidationError):
            return {}


def _key(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]


def _cache_folder() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(caches) / "depression_vr" / "contents"
