"""How the C library treats memory that is freed."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# of mallopt in glibc's malloc.h
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_MMAP_MAX = -4

_KEPT = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
# what glibc begins with; but for the thresholds, which are where it moves them as large blocks are freed
_GIVEN_BACK = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 64 * 2**20}

_is_kept = False


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let this process keep memory that is freed, for what it allocates next.

    glibc gives large blocks back at once, and the system clears every page of the next ones. A network that
    computes on the CPU allocates and frees gigabytes in every step, and loses a fifth of its time so.
    Processes that are forked meanwhile, such as those that load clips, neither get the free memory nor keep
    what they free.

    Afterwards glibc has the limits it is known to begin with, whatever ``MALLOC_*_`` or ``GLIBC_TUNABLES`` of
    the environment had set. Not for use within itself: the end of the inner one would be the end of both.

    Does nothing with other C libraries than glibc.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    _set(libc, kept=True)
    try:
        yield
    finally:
        _set(libc, kept=False)
        libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, *, kept: bool) -> None:
    global _is_kept  # noqa: PLW0603, as the C library has one state for the process
    _is_kept = kept
    for option, value in (_KEPT if kept else _GIVEN_BACK).items():
        libc.mallopt(option, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    libc = ctypes.CDLL(None)
    os.register_at_fork(before=_give_back, after_in_child=_keep_nothing)
    return libc


def _give_back() -> None:
    """Give back what is free before a process is forked, which would share it and keep it from then on."""
    libc = _glibc()
    if _is_kept and libc is not None:
        libc.malloc_trim(0)


def _keep_nothing() -> None:
    libc = _glibc()
    if _is_kept and libc is not None:
        _set(libc, kept=False)
