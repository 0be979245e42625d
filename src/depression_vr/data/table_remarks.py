"""What is suspicious about a CSV file, but stops no run."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from depression_vr.data.table_rows import OPTIONAL_COLUMNS
from depression_vr.errors import Problem


def misspelt_columns(table: Path, header: Sequence[str]) -> Iterator[Problem]:
    """A warning for every column that is not read and is called nearly as one that may be there.

    Args:
        table: the file.
        header: of it, in lower case.
    """
    missing = [column for column in OPTIONAL_COLUMNS if column not in header]
    for column in header:
        near = [] if column in OPTIONAL_COLUMNS else get_close_matches(column, missing, n=1, cutoff=0.7)
        if near:
            yield Problem(f"{table} line 1", f"the column {column} is not read; did you mean {near[0]}?")


def unknown_subjects(videos: pd.DataFrame) -> Iterator[Problem]:
    """A warning where neither the table nor a name like AVEC's says who is in a video.

    Args:
        videos: what the rows say, one each, with ``video_id`` and ``subject``.
    """
    unknown = int((videos["subject"] == videos["video_id"]).sum())  # so do tables of `preprocess` have it
    if unknown:
        yield Problem(
            "subjects",
            f"{unknown} of {len(videos)} videos name no subject but themselves and count as a person each: "
            "intervals, tests and folds do not know which are of one person",
        )
