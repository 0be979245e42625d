"""What the frames of a corpus hold, as digests: its fingerprint knows frames only by name."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
from rich.progress import DownloadColumn, TransferSpeedColumn

from depression_vr.data.contents_cache import ContentsCache
from depression_vr.data.frames import FrameFolder
from depression_vr.data.manifest import Manifest
from depression_vr.progress import progress_bar

_Each = TypeVar("_Each")

_THREADS = 8
_SECONDS_BEFORE_BAR = 2.0


@dataclass(frozen=True)
class _Files:
    """The files of a video's frames as the file system shows them.

    Attributes:
        state: digest of names, sizes and times.
        size: bytes in all.
    """

    state: str
    size: int


@dataclass(frozen=True)
class _Read:
    """The frames of a video as they were read."""

    digest: str
    unreadable: int = 0


def frame_contents(manifest: Manifest, rows: Iterable[int] | None = None) -> pd.DataFrame:
    """The digests of videos' frames.

    Frames are read once: the user's cache folder keeps a video's digest for as long as the names, sizes and
    modification times of its frames stay the same. What an interrupted call had read is kept too. A frame
    that cannot be read is counted; whoever needs its pixels says so.

    Args:
        manifest: the whole corpus, whose digests are kept together.
        rows: of the videos; None for all.

    Returns:
        One row per video, in the order of the rows: ``video_id``, ``frames`` (their number), ``unreadable``
        (how many of them) and ``digest``: SHA-256 of the size and the bytes of every frame, by name.
    """
    cache = ContentsCache(folder.path for folder in manifest.folders)
    wanted = manifest if rows is None else manifest.only(rows)
    folders = wanted.folders
    found: dict[int, _Read] = {}
    with _threads() as (pool, stop):
        files = list(pool.map(lambda folder: _files(folder, stop), folders))
        for video, folder in enumerate(folders):
            digest = cache.find(folder.path, files[video].state)
            if digest is not None:
                found[video] = _Read(digest)
        unknown = [video for video in range(len(folders)) if video not in found]
        reading = {pool.submit(_read, folders[video], stop): video for video in unknown}
        with _bar(sum(files[video].size for video in unknown)) as advance, _written(cache):
            for done in as_completed(reading):
                video = reading[done]
                found[video] = read = done.result()
                if not read.unreadable:
                    cache.add(folders[video].path, files[video].state, read.digest)
                advance(files[video].size)
    in_order = [found[video] for video in range(len(folders))]
    return pd.DataFrame(
        {
            "video_id": wanted.table["video_id"].to_numpy(),
            "frames": [len(folder) for folder in folders],
            "unreadable": [read.unreadable for read in in_order],
            "digest": [read.digest for read in in_order],
        }
    )


def contents_digest(contents: pd.DataFrame) -> str:
    """SHA-256 of the table that `frame_contents` gives: of all frames of the corpus."""
    return hashlib.sha256(contents.to_csv(index=False).encode()).hexdigest()


class _StoppedError(Exception):
    """A thread was told to stop; nobody waits for its result."""


@contextmanager
def _threads() -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """Threads, and what stops them in the middle of their work; after an error they are stopped."""
    stop = threading.Event()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            yield pool, stop
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _until(stop: threading.Event, several: Iterable[_Each]) -> Iterator[_Each]:
    for each in several:
        if stop.is_set():
            raise _StoppedError
        yield each


def _files(folder: FrameFolder, stop: threading.Event) -> _Files:
    digest, size = hashlib.sha256(), 0
    for path in _until(stop, folder.files):
        try:
            file = path.stat()
        except OSError:
            continue  # as if it were not there, until it can be read
        size += file.st_size
        digest.update(b"%s\0%d\0%d\0" % (os.fsencode(path.name), file.st_size, file.st_mtime_ns))
    return _Files(digest.hexdigest(), size)


def _read(folder: FrameFolder, stop: threading.Event) -> _Read:
    digest, unreadable = hashlib.sha256(), 0
    for frame in _until(stop, range(len(folder))):
        try:
            content = folder.read(frame)
        except OSError:
            unreadable += 1
            digest.update(b"unreadable")
        else:
            digest.update(len(content).to_bytes(8, "little"))
            digest.update(content)
    return _Read(digest.hexdigest(), unreadable)


@contextmanager
def _written(cache: ContentsCache) -> Iterator[None]:
    try:
        yield
    finally:
        cache.write()


@contextmanager
def _bar(size: int) -> Iterator[Callable[[int], None]]:
    """A progress bar over so many bytes, shown only where it takes long; yields what advances it."""
    progress = progress_bar(DownloadColumn(), TransferSpeedColumn())
    task = progress.add_task("Contents of frames", total=size)
    begun = time.monotonic()

    def advance(read: int) -> None:
        if not progress.live.is_started and time.monotonic() - begun > _SECONDS_BEFORE_BAR:
            progress.start()
        progress.advance(task, read)

    try:
        yield advance
    finally:
        if progress.live.is_started:
            progress.stop()
