"""Which videos, and which of their windows, are explained."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TypeVar

import numpy as np

from depression_vr.data.manifest import Manifest
from depression_vr.errors import Problem, UserError

_CLOSE = 3

Value = TypeVar("Value")


def named_videos(manifest: Manifest, video_ids: Sequence[str]) -> list[int]:
    """Rows of videos of any partition.

    Raises:
        UserError: with every id that the corpus does not have, and those most like it.
    """
    known = {video_id: row for row, video_id in enumerate(manifest.table["video_id"])}
    problems = []
    for video_id in video_ids:
        if video_id not in known:
            close = get_close_matches(video_id, known, n=_CLOSE, cutoff=0.4) or list(known)[:_CLOSE]
            told = f"{video_id!r}; most like it are {', '.join(close)}"
            problems.append(Problem("config key video", told))
    if problems:
        raise UserError(
            f"the corpus {manifest.corpus} has no such video:",
            problems=problems,
            fix="`python -m depression_vr.clips` lists the videos of a corpus",
        )
    return [known[video_id] for video_id in dict.fromkeys(video_ids)]


def spread_over_scores(manifest: Manifest, rows: np.ndarray, n: int) -> list[int]:
    """Rows of ``n`` videos, spread evenly over those of all in the order of their labels, lowest first.

    Args:
        manifest: of the corpus.
        rows: to choose from.
        n: how many; all of them, where there are fewer.
    """
    chosen = manifest.table.iloc[rows].assign(row=rows).sort_values(["label", "video_id"])
    return spread(chosen["row"].tolist(), n)


def spread(values: Sequence[Value], at_most: int | None) -> list[Value]:
    """At most so many values, spread evenly from the first to the last, or the middle one; all where None.

    >>> spread(range(9), 3), spread(range(9), 1), spread(range(2), 3)
    ([0, 4, 8], [4], [0, 1])
    """
    if at_most is None or len(values) <= at_most:
        return list(values)
    places = np.linspace(0, len(values) - 1, at_most) if at_most > 1 else [len(values) // 2] * at_most
    return [values[round(place)] for place in places]
