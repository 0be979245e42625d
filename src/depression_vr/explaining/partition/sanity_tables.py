"""What the sanity checks of many clips say, as tables of means with intervals over subjects."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from depression_vr.explaining.partition.averages import Averages, averages
from depression_vr.explaining.sanity.checking import RANDOM, Checked, displaced_name, order_names
from depression_vr.explaining.sanity.deletion import FRACTIONS, area
from depression_vr.explaining.sanity.randomised import rank_correlation
from depression_vr.faces.aligning.template_regions import REGIONS

ANOTHER_VIDEO = "nothing, but another video"
STILL = "motion: all frames are the mean frame"


def curve_table(
    checked: Sequence[Checked], names: Sequence[str], subjects: pd.Series, resamples: int
) -> pd.DataFrame:
    """The mean curves: ``order, curve, fraction, videos, distance, low, high``; distances in points.

    Args:
        checked: of each video.
        names: of the maps.
        subjects: of the videos, in their order.
        resamples: of the bootstrap.
    """
    rows = []
    for curve in ("deletion", "insertion"):
        found = averages(np.stack([getattr(each.curves, curve) for each in checked]), subjects, resamples)
        for place, order in enumerate(order_names(names)):
            for step, fraction in enumerate(FRACTIONS):
                rows.append((order, curve, fraction, *_at(found, (place, step))))
    return pd.DataFrame(rows, columns=["order", "curve", "fraction", "videos", "distance", "low", "high"])


def area_table(
    checked: Sequence[Checked], names: Sequence[str], subjects: pd.Series, resamples: int
) -> pd.DataFrame:
    """Mean heights of the curves, and how far each lies above two random ones, with intervals, in points.

    A map that says what the network looks at lies above them in deletion and below them in insertion.

    Returns:
        ``order, curve, videos, height``, then ``above_NAME, above_NAME_low, above_NAME_high`` with NAME
        ``random`` (blocks in a random order) and ``displaced`` (the order of the same map at another place).
    """
    orders = order_names(names)
    rows = []
    for curve in ("deletion", "insertion"):
        heights = area(np.stack([getattr(each.curves, curve) for each in checked]))  # (videos, orders)
        for name in names:
            own, random, displaced = (
                heights[:, orders.index(order)] for order in (name, RANDOM, displaced_name(name))
            )
            found = averages(np.stack([own - random, own - displaced], axis=1), subjects, resamples)
            against = [number for place in range(2) for number in _at(found, (place,))[1:]]
            rows.append((name, curve, len(heights), own.mean(), *against))
        rows.append((RANDOM, curve, len(heights), heights[:, -1].mean(), *[np.nan] * 6))
    above = [f"above_{order}{end}" for order in ("random", "displaced") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["order", "curve", "videos", "height", *above])


def replaced_table(
    checked: Sequence[Checked], areas: np.ndarray, subjects: pd.Series, resamples: int
) -> pd.DataFrame:
    """How far the score moves, in points, when one region is replaced, or all motion.

    Args:
        checked: of each video.
        areas: share of each region in the frame.
        subjects: of the videos, in their order.
        resamples: of the bootstrap.

    Returns:
        ``replaced, area, videos, distance, low, high, change``; the change has its sign, motion no area.
    """
    changes = np.stack([each.replaced for each in checked])
    found = averages(np.abs(changes), subjects, resamples)
    rows = [
        (name, share, *_at(found, (place,)), changes[:, place].mean())
        for place, (name, share) in enumerate(zip([*REGIONS, STILL], [*areas, np.nan], strict=True))
    ]
    return pd.DataFrame(rows, columns=["replaced", "area", "videos", "distance", "low", "high", "change"])


def randomised_table(
    checked: Sequence[Checked],
    methods: Sequence[str],
    parts: Sequence[str],
    subjects: pd.Series,
    resamples: int,
) -> pd.DataFrame:
    """How alike maps are to those of networks with randomised weights, and of other videos.

    Args:
        checked: of each video.
        methods: that need a network.
        parts: randomised one after the other, the output's first.
        subjects: of the videos, in their order.
        resamples: of the bootstrap.

    Returns:
        ``method, randomised, measure, videos, mean, low, high``. Maps that are constant have no correlation
        and do not count; nor does the structural similarity of other videos, whose faces lie elsewhere.
        Videos of others are compared in pairs, each subject with one other subject only: pairs of subjects
        are independent, and what the bootstrap draws. ``videos`` counts the pairs there.
    """
    rows = []
    pairs = [*_pairs(subjects)]
    for place, method in enumerate(methods):
        for measure in ("spearman", "ssim"):
            found = np.stack([getattr(each, measure)[place] for each in checked])
            for step, part in enumerate(parts):
                rows.append((method, part, measure, *_where_defined(found[:, step], subjects, resamples)))
        between = [
            rank_correlation(checked[one].blocks[place], checked[other].blocks[place]) for one, other in pairs
        ]
        defined = _where_defined(np.array(between), subjects.iloc[[one for one, _ in pairs]], resamples)
        rows.append((method, ANOTHER_VIDEO, "spearman", *defined))
    columns = ["method", "randomised", "measure", "videos", "mean", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _pairs(subjects: pd.Series) -> Iterator[tuple[int, int]]:
    """Places of pairs of videos, of subjects that follow each other two by two: none has a second partner."""
    places = [np.flatnonzero(subjects == subject).tolist() for subject in subjects.unique()]
    for videos, others in zip(places[::2], places[1::2], strict=False):
        yield from zip(videos, others, strict=False)


def _where_defined(
    values: np.ndarray, subjects: pd.Series, resamples: int
) -> tuple[int, float, float, float]:
    defined = np.isfinite(values)
    if not defined.any():
        return 0, np.nan, np.nan, np.nan
    return _at(averages(values[defined, None], subjects[defined], resamples), (0,))


def _at(found: Averages, place: tuple[int, ...]) -> tuple[int, float, float, float]:
    return found.videos, float(found.mean[place]), float(found.low[place]), float(found.high[place])
