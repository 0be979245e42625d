"""Everything that a comparison says, computed from finished runs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from depression_vr.comparison.agreement import METRICS, metrics_from_sums, recordings, subject_sums
from depression_vr.comparison.grouping import Group
from depression_vr.comparison.intervals import Interval, bootstrap_intervals
from depression_vr.comparison.pairs import Pair, compared, corrected
from depression_vr.comparison.progress import all_done
from depression_vr.comparison.reading import LeftOut

VIDEOS = "videos"
RECORDINGS = "recordings"


@dataclass(frozen=True)
class Measured:
    """One metric of a group.

    Attributes:
        values: of each replicate, in their order.
        interval: of their mean, over videos, resampled by subject.
    """

    values: tuple[float, ...]
    interval: Interval

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Sample standard deviation over the seeds (n - 1); NaN of one seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class MeasuredGroup:
    """A group with its metrics.

    Attributes:
        group: the group.
        counts: how many each of ``metrics`` is over.
        subjects: how many people these are of.
        metrics: over ``videos``, each ``task ...`` and ``recordings``: by name.
    """

    group: Group
    counts: dict[str, int]
    subjects: dict[str, int]
    metrics: dict[str, dict[str, Measured]]


@dataclass(frozen=True)
class Comparison:
    """What is shown and written.

    Attributes:
        groups: by corpus, then the lowest MAE first.
        pairs: of groups of one corpus, in the order of the groups.
        left_out: run directories that take no part.
        remarks: what a reader has to know, in whole sentences.
        resamples: of bootstrap and permutation test.
        shows_ids: whether videos and subjects have their names.
    """

    groups: list[MeasuredGroup]
    pairs: list[Pair]
    left_out: list[LeftOut]
    remarks: list[str]
    resamples: int
    shows_ids: bool

    @property
    def corpora(self) -> list[str]:
        """Their names, sorted."""
        return sorted({measured.group.corpus for measured in self.groups})

    def of(self, corpus: str) -> list[MeasuredGroup]:
        """The groups of a corpus, the lowest MAE first."""
        return [measured for measured in self.groups if measured.group.corpus == corpus]


def compare(
    groups: Sequence[Group],
    left_out: Sequence[LeftOut],
    remarks: Sequence[str],
    *,
    resamples: int,
    shows_ids: bool,
) -> Comparison:
    """Measure every group and every two groups of one corpus, with a progress bar."""
    measured = all_done(partial(measure, resamples=resamples), groups, "measuring", "groups")
    measured.sort(key=lambda one: (one.group.corpus, one.metrics[VIDEOS]["mae"].mean, one.group.name))
    of_one_corpus = [
        (first.group, second.group)
        for first, second in combinations(measured, 2)
        if first.group.corpus == second.group.corpus
    ]
    pairs = all_done(
        lambda pair: compared(*pair, resamples, len(of_one_corpus)), of_one_corpus, "comparing", "pairs"
    )
    return Comparison(measured, corrected(pairs), [*left_out], [*remarks], resamples, shows_ids)


def measure(group: Group, resamples: int) -> MeasuredGroup:
    """The metrics of a group over its videos, per task where it has several, and over recordings."""
    tables = [dict(_parts(replicate.videos)) for replicate in group.replicates]
    return MeasuredGroup(
        group,
        {over: len(table) for over, table in tables[0].items()},
        {over: table["subject"].nunique() for over, table in tables[0].items()},
        {over: _measured([table[over] for table in tables], resamples) for over in tables[0]},
    )


def _parts(videos: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield VIDEOS, videos
    if videos["task"].nunique() > 1:
        for task, rows in videos.groupby("task", sort=True):
            yield f"task {task}", rows
    if videos["recording"].nunique() < len(videos):
        yield RECORDINGS, recordings(videos)


def _measured(tables: Sequence[pd.DataFrame], resamples: int) -> dict[str, Measured]:
    sums = np.stack([subject_sums(table) for table in tables], axis=1)  # (9, replicates, subjects)
    values = metrics_from_sums(sums.sum(axis=-1))  # (3, replicates)
    intervals = bootstrap_intervals(sums, lambda drawn: metrics_from_sums(drawn).mean(axis=1), resamples)
    return {
        name: Measured(tuple(values[place].tolist()), intervals[place]) for place, name in enumerate(METRICS)
    }
