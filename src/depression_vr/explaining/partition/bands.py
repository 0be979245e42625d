"""Severity bands of a partition: mean faces, mean maps, shares and densities of regions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from depression_vr.explaining.partition.averages import Averages, averages
from depression_vr.explaining.partition.store import LookedVideos
from depression_vr.faces.aligning.template_regions import REGIONS
from depression_vr.runs.bands import BDI_BANDS, BDI_MAXIMUM, severity_band

ALL = "all"


@dataclass(frozen=True)
class Band:
    """The videos of one severity band, by their label, or all.

    Attributes:
        name: of the band, or ``all``.
        videos: how many.
        face: their mean face, ``(H, W, 3)``, 0..255.
        maps: mean over videos, a map per method that sums to 1, ``(methods, H, W)``.
        shares: of importance in each region, ``(methods, regions)``.
    """

    name: str
    videos: int
    face: np.ndarray
    maps: np.ndarray
    shares: Averages


def bands(videos: pd.DataFrame, looked: LookedVideos, maximum: float, resamples: int) -> list[Band]:
    """All videos, and, of a BDI-II scale, each severity band that has videos.

    Args:
        videos: rows of the manifest, its row numbers as index.
        looked: what was found of them; read one by one.
        maximum: highest score of the scale.
        resamples: of the intervals over subjects.
    """
    return [_band(name, rows, looked, resamples) for name, rows in _by_band(videos, maximum) if len(rows)]


def _by_band(videos: pd.DataFrame, maximum: float) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, videos
    if maximum == BDI_MAXIMUM:
        of_band = severity_band(videos["label"])
        for name, _ in BDI_BANDS:
            yield name, videos[of_band == name]


def _band(name: str, videos: pd.DataFrame, looked: LookedVideos, resamples: int) -> Band:
    face, maps = (np.zeros((1,)) for _ in range(2))
    shares = []
    for row in videos.index:
        one = looked.read(row)
        face, maps = face + one.face, maps + one.maps
        shares.append(one.shares)
    of_regions = averages(np.array(shares), videos["subject"], resamples)
    return Band(name, len(videos), face / len(videos), maps / len(videos), of_regions)


def region_table(of_bands: Sequence[Band], methods: Sequence[str], areas: np.ndarray) -> pd.DataFrame:
    """One row per method, band and region.

    Args:
        of_bands: the bands.
        methods: names of the maps.
        areas: share of each region in the frame, ``(regions,)``.

    Returns:
        ``method, band, videos, region, area, share, share_low, share_high, density, density_low,
        density_high``; the density is share over area: 1 is no preference.
    """
    rows = []
    for method_place, method in enumerate(methods):
        for band in of_bands:
            for place, region in enumerate(REGIONS):
                ends = band.shares.mean, band.shares.low, band.shares.high
                share, low, high = (float(end[method_place, place]) for end in ends)
                area = float(areas[place])
                density = (number / area if area else np.nan for number in (share, low, high))
                rows.append((method, band.name, band.videos, region, area, share, low, high, *density))
    named = ("share", "share_low", "share_high", "density", "density_low", "density_high")
    return pd.DataFrame(rows, columns=["method", "band", "videos", "region", "area", *named])
