"""What a finished video was made from and with, so that a later run knows whether it still holds."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from depression_vr.errors import Problem
from depression_vr.keys import with_dots

VERSION = 1
"""Raised by hand whenever the same settings make other frames."""

_END_BYTES = 1 << 20


def fingerprint(
    video: Path, others: Sequence[Path], tracking: Any, crops: Any, fps: float | None
) -> dict[str, Any]:
    """Everything that decides how a video's frames look, as plain containers.

    A file counts by its size and its first and last MiB: a corpus of hundreds of gigabytes is not read anew
    at every start, and a copy counts as the same file.

    Args:
        video: the video file.
        others: what is read beside it.
        tracking: an object whose attributes are its settings.
        crops: likewise.
        fps: frames per second; None for the video's own.
    """
    return {
        "source": {
            "version": VERSION,
            "video": _digest(video),
            "beside": [_digest(path) for path in others],
        },
        **settings_in_common(tracking, crops, fps),
    }


def settings_in_common(tracking: Any, crops: Any, fps: float | None) -> dict[str, Any]:
    """What of a fingerprint is the same for all videos that are made alike, beside `VERSION`."""
    return {"tracking": {"fps": fps, **settings_of(tracking)}, "crops": settings_of(crops)}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_BYTES))
        digest.update(file.read())
    return f"{size}-{digest.hexdigest()[:32]}"


def settings_of(part: Any) -> dict[str, Any]:
    """The class and attributes of an object, and of those it has.

    What a class names in ``CHANGES_NO_FRAME`` is left out.
    """
    left_out = getattr(part, "CHANGES_NO_FRAME", ())
    settings = {
        name: settings_of(value) if hasattr(value, "__dict__") else value
        for name, value in vars(part).items()
        if not name.startswith("_") and name not in left_out
    }
    return {"class": type(part).__qualname__, **settings}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Problem]:
    """The settings that differ between two fingerprints."""
    old, new = dict(with_dots(before)), dict(with_dots(after))
    return [
        Problem(key, f"was {old.get(key)!r}, is now {new.get(key)!r}")
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]
