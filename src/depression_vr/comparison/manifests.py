"""Only what was tested on the same videos with the same scores can be compared."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from depression_vr.comparison.grouping import Group
from depression_vr.errors import Problem, UserError
from depression_vr.runs.in_words import counted

_COLUMNS = ("label", "subject", "task", "recording")
_MOST_NAMED = 5


class Tested(NamedTuple):
    """What was tested on some videos.

    Attributes:
        folders: run directories.
        videos: ``video_id, label, subject, task, recording``.
    """

    folders: Sequence[Path]
    videos: pd.DataFrame


def refuse_other_manifests(groups: Sequence[Group]) -> None:
    """Refuse runs of one corpus that were not tested on the same videos.

    Raises:
        UserError: video ids, labels, subjects, tasks or recordings differ; it names which, and of which runs.
    """
    by_corpus: dict[str, list[Tested]] = defaultdict(list)
    for group in groups:
        by_corpus[group.corpus] += [
            Tested([run.folder for run in replicate.runs], replicate.videos) for replicate in group.replicates
        ]
    problems = [problem for tested in by_corpus.values() for problem in different_videos(tested)]
    if problems:
        raise UserError(
            "runs of one corpus were tested on different videos:",
            problems=problems,
            fix="compare them apart, naming with runs=[...] those that were tested on the same videos",
        )


def different_videos(tested: Sequence[Tested]) -> Iterator[Problem]:
    """What differs from the videos that most were tested on: ids, labels, subjects, tasks or recordings."""
    alike: list[list[Tested]] = []
    for one in tested:
        same = next((others for others in alike if _manifest(others[0]).equals(_manifest(one))), None)
        if same is None:
            alike.append([one])
        else:
            same.append(one)
    most = max(alike, key=len)
    for others in alike:
        if others is not most:
            differences = "; ".join(_differences(_manifest(others[0]), _manifest(most[0])))
            yield Problem(_where(others), f"unlike {_where(most)}, {differences}")


def _manifest(tested: Tested) -> pd.DataFrame:
    return tested.videos.set_index("video_id")[[*_COLUMNS]]


def _where(tested: Sequence[Tested]) -> str:
    folders = [folder for one in tested for folder in one.folders]
    more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
    return f"{folders[0]}{more}"


def _differences(here: pd.DataFrame, there: pd.DataFrame) -> Iterator[str]:
    for word, one, other in (("lacks", there, here), ("adds", here, there)):
        only = one.index.difference(other.index)
        if len(only):
            yield f"{word} {counted(len(only), 'video')} ({_some(only)})"
    both = here.index.intersection(there.index)
    for column in _COLUMNS:
        ours, theirs = here.loc[both, column], there.loc[both, column]
        differ = both[(ours != theirs).to_numpy()]
        if len(differ):
            told = [f"{video}: {ours[video]}, not {theirs[video]}" for video in differ]
            yield f"has another {column} for {counted(len(differ), 'video')} ({_some(told)})"


def _some(names: Sequence[str] | pd.Index) -> str:
    more = f", and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(str, names[:_MOST_NAMED])) + more
