"""The two tables that people read, as cells of text: on the terminal, in Markdown, LaTeX and HTML."""

import math
from collections.abc import Sequence

from depression_vr.comparison.grouping import Group
from depression_vr.comparison.measuring import VIDEOS, Comparison, Measured, MeasuredGroup
from depression_vr.comparison.pairs import Pair
from depression_vr.runs.in_words import counted, rounded, with_minus

PLUS_MINUS = "±"
_INTERVAL = "95% interval"
_GROUP_HEADINGS = (
    "group", "corpus", "seeds", "n", "subjects", "MAE", _INTERVAL, "RMSE", _INTERVAL, "CCC", _INTERVAL,
    "published MAE / RMSE",
)  # fmt: skip
_PAIR_HEADINGS = ("first", "second", "difference in error", _INTERVAL, "p", "p (Holm)", "d_z", "verdict")
NOTHING = "\N{EN DASH}"
TEXT_HEADINGS = ("group", "corpus", "first", "second", "verdict")
"""The others are of numbers."""


Cells = list[tuple[str, ...]]
"""Rows of text, the headings first."""


def group_table(groups: Sequence[MeasuredGroup], over: str = VIDEOS) -> Cells:
    """The metrics of groups over videos, a task or recordings; what was published is over videos only."""
    return _without_empty_columns([_GROUP_HEADINGS, *(_group(measured, over) for measured in groups)])


def pair_table(pairs: Sequence[Pair]) -> Cells:
    """Every two groups."""
    return _without_empty_columns([_PAIR_HEADINGS, *(_pair(pair) for pair in pairs)])


def _without_empty_columns(cells: Cells) -> Cells:
    filled = [any(cell != NOTHING for cell in column[1:]) for column in zip(*cells, strict=True)]
    return [tuple(cell for cell, is_filled in zip(row, filled, strict=True) if is_filled) for row in cells]


def _group(measured: MeasuredGroup, over: str) -> tuple[str, ...]:
    group = measured.group
    published = group.published if over == VIDEOS else None
    told = f"{published.mae:.2f} / {published.rmse:.2f} ({published.source})" if published else NOTHING
    numbers = [
        cell
        for metric in measured.metrics[over].values()
        for cell in (_spread(metric), _interval(metric.interval.low, metric.interval.high))
    ]
    counts = len(group.replicates), measured.counts[over], measured.subjects[over]
    return (group.name, group.corpus, *map(str, counts), *numbers, told)


def _pair(pair: Pair) -> tuple[str, ...]:
    return (
        pair.first,
        pair.second,
        _signed(pair.difference),
        _interval(pair.interval.low, pair.interval.high, "+"),
        _probability(pair.p),
        _probability(pair.p_holm),
        _signed(pair.effect_size),
        pair.verdict,
    )


def _spread(metric: Measured) -> str:
    """Mean and standard deviation over the seeds, which one seed has not."""
    if math.isnan(metric.mean):
        return NOTHING
    if math.isnan(metric.deviation):
        return _rounded(metric.mean)
    return f"{_rounded(metric.mean)} {PLUS_MINUS} {metric.deviation:.2f}"


def _interval(low: float, high: float, sign: str = "") -> str:
    """Both ends; a dash where there is none."""
    return NOTHING if math.isnan(low) else f"{_rounded(low, sign)} to {_rounded(high, sign)}"


def _signed(value: float) -> str:
    """Two digits after the point, with the sign."""
    return NOTHING if math.isnan(value) else _rounded(value, "+")


def _rounded(value: float, sign: str = "") -> str:
    return with_minus(f"{value:{sign}.2f}" if sign else rounded(value))


def _probability(p: float) -> str:
    """Three digits, four where it is small, and never 0, which no test can give.

    >>> [_probability(p) for p in (1.0, 0.0432, 0.00021, 0.000015)]
    ['1.000', '0.043', '0.0002', '<0.0001']
    """
    if p < 0.0001:
        return "<0.0001"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.4f}"


def settings(group: Group) -> str:
    """What tells a group from the others, in one line."""
    return ", ".join(f"{key}={value}" for key, value in group.settings.items())


def pair_count(comparison: Comparison) -> str:
    """How many pairs p is corrected for, with the word."""
    return counted(len(comparison.pairs), "pair")


def notes(comparison: Comparison) -> list[str]:
    """What a reader has to know, in whole sentences: how the numbers came about, and what limits them."""
    said = [
        "Mean and sample standard deviation (n - 1) are over seeds; a metric is over the test videos.",
        f"95% intervals are BCa bootstrap intervals of the mean over the seeds that were trained "
        f"({comparison.resamples} resamples of whole subjects with their videos); they do not tell what "
        "other seeds would give.",
    ]
    if any(measured.group.published for measured in comparison.groups):
        said.append("Published numbers are what others reported; they were not measured by these runs.")
    if comparison.pairs:
        said.append(
            "Pairs: mean difference of the absolute error per video, first less second, in points; its "
            "interval as above; permutation test with signs flipped by subject; p corrected for "
            f"{pair_count(comparison)} (Holm); Cohen's d_z "
            "over subjects. Intervals are not corrected: one may leave out 0 where the corrected p does not "
            "tell. They too are of the networks that were trained. What is not distinguishable is not shown "
            "to be equal."
        )
    alone = [one.group.name for one in comparison.groups if len(one.group.replicates) == 1]
    if comparison.pairs and alone:
        said.append(
            f"Of one seed only: {'; '.join(alone)}. A pair with such a group tells networks apart, not "
            "methods: another seed may change which is better."
        )
    without = {
        metric.interval.missing: measured.group.name
        for measured in comparison.groups
        for metric in measured.metrics[VIDEOS].values()
        if metric.interval.missing
    }
    said += [f"No interval, such as for {name}: {reason}." for reason, name in sorted(without.items())]
    return [*said, *comparison.remarks]


def left_out(comparison: Comparison) -> list[str]:
    """How many run directories take no part, by reason, with one of each; an error names nobody's videos."""
    reasons: dict[str, list[str]] = {}
    for run in comparison.left_out:
        detail = f": {run.detail}" if run.detail and comparison.shows_ids else ""
        reasons.setdefault(run.reason + detail, []).append(str(run.folder))
    return [
        f"{folders[0]}{f' and {len(folders) - 1} more' if len(folders) > 1 else ''}: {reason}"
        for reason, folders in sorted(reasons.items())
    ]
