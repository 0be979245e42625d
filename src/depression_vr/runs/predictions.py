"""Tables of predictions per video, read again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from depression_vr.errors import UserError

_NAMES = ("video_id", "partition", "subject", "task", "recording")
_SCORES = ("label", "estimate")


def read_predictions(
    file: Path, finite: Sequence[str] = ("label",), fix: str = "use another run"
) -> pd.DataFrame:
    """A row per video, as `video_table` gives them: names as text, scores in points.

    Args:
        file: CSV.
        finite: columns that have to be there with a number in every row. A network that has diverged has
            estimates that are none.
        fix: what to do about a damaged file.

    Raises:
        UserError: the file is damaged, or not there.
    """
    try:
        videos = pd.read_csv(
            file,
            dtype=dict.fromkeys(_NAMES, str) | dict.fromkeys((*_SCORES, *finite), float),
            keep_default_na=False,  # a subject may be called NA
            na_values={name: [""] for name in _SCORES},
        )
        wrong = _wrong(videos, finite)
    except (OSError, ValueError) as error:
        wrong = str(error)
    if wrong:
        raise UserError(f"{file.name} is damaged: {wrong}", where=str(file), fix=fix)
    return videos


def _wrong(videos: pd.DataFrame, finite: Sequence[str]) -> str:
    if lacking := [name for name in (*_NAMES, *_SCORES, *finite) if name not in videos]:
        return f"it lacks {', '.join(dict.fromkeys(lacking))}"
    if videos.empty:
        return "it has no videos"
    if not np.isfinite(videos[[*finite]]).all(axis=None):
        return "a number is not finite"
    return "it has a video twice" if videos["video_id"].duplicated().any() else ""
