"""Tidy tables of a comparison, in full precision."""

import math
from pathlib import Path

import pandas as pd

from depression_vr.comparison.cells import settings
from depression_vr.comparison.measuring import Comparison
from depression_vr.files import write_csv
from depression_vr.runs.bands import severity_band

GROUPS, SEEDS, PAIRS, VIDEOS = "groups.csv", "seeds.csv", "pairs.csv", "videos.csv"


def write_tables(folder: Path, comparison: Comparison) -> list[Path]:
    """Write ``groups.csv``, ``seeds.csv``, ``pairs.csv`` and ``videos.csv``; returns their paths."""
    tables = {
        GROUPS: group_table(comparison),
        SEEDS: seed_table(comparison),
        PAIRS: pair_table(comparison),
        VIDEOS: video_table(comparison),
    }
    for name, table in tables.items():
        write_csv(folder / name, table)
    return [folder / name for name in tables]


def group_table(comparison: Comparison) -> pd.DataFrame:
    """A row per group, what a metric is over, and metric. ``published`` is no measurement of these runs."""
    rows = []
    for measured in comparison.groups:
        published = measured.group.published
        for over, metrics in measured.metrics.items():
            for name, metric in metrics.items():
                rows.append(
                    {
                        "corpus": measured.group.corpus,
                        "group": measured.group.name,
                        "settings": settings(measured.group),
                        "over": over,
                        "n": measured.counts[over],
                        "subjects": measured.subjects[over],
                        "metric": name,
                        "seeds": len(metric.values),
                        "mean": metric.mean,
                        "standard_deviation": metric.deviation,
                        "interval_low": metric.interval.low,
                        "interval_high": metric.interval.high,
                        "no_interval": metric.interval.missing,
                        "published": getattr(published, name, math.nan) if over == "videos" else math.nan,
                        "published_source": published.source if published and over == "videos" else "",
                    }
                )
    return pd.DataFrame(rows)


def seed_table(comparison: Comparison) -> pd.DataFrame:
    """A row per group, seed and what metrics are over, with the run directories."""
    table = pd.DataFrame(
        [
            {
                "corpus": measured.group.corpus,
                "group": measured.group.name,
                "seed": replicate.seed,
                "over": over,
                "n": measured.counts[over],
                **{name: metric.values[place] for name, metric in metrics.items()},
                "runs": " ".join(str(run.folder) for run in replicate.runs),
            }
            for measured in comparison.groups
            for place, replicate in enumerate(measured.group.replicates)
            for over, metrics in measured.metrics.items()
        ]
    )
    return table.astype({"seed": "Int64"})  # whole, also beside one that there is none of


def pair_table(comparison: Comparison) -> pd.DataFrame:
    """A row per two groups of one corpus, as `Pair` has it."""
    columns = (
        "corpus", "first", "second", "videos", "subjects", "difference", "interval_low", "interval_high",
        "no_interval", "p", "p_holm", "effect_size", "verdict",
    )  # fmt: skip
    rows = [
        (
            pair.corpus, pair.first, pair.second, pair.videos, pair.subjects, pair.difference,
            pair.interval.low, pair.interval.high, pair.interval.missing,
            pair.p, pair.p_holm, pair.effect_size, pair.verdict,
        )
        for pair in comparison.pairs
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns))


def video_table(comparison: Comparison) -> pd.DataFrame:
    """A row per group, seed and test video; the error is estimate less label, in points."""
    tables = [
        replicate.videos.assign(
            corpus=measured.group.corpus, group=measured.group.name, seed=replicate.seed
        ).assign(
            error=replicate.videos["estimate"] - replicate.videos["label"],
            severity_band=severity_band(replicate.videos["label"]) if measured.group.is_bdi else "",
        )
        for measured in comparison.groups
        for replicate in measured.group.replicates
    ]
    keys = ["corpus", "group", "seed", "video_id", "subject", "task", "recording"]
    return pd.concat(tables).astype({"seed": "Int64"})[[*keys, "label", "estimate", "error", "severity_band"]]
