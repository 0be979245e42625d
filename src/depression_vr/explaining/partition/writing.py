"""Tables and figures of a partition."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from depression_vr.explaining.attributions import METHODS
from depression_vr.explaining.partition.bands import bands, region_table
from depression_vr.explaining.partition.figures import band_maps, densities
from depression_vr.explaining.partition.looking import Looking
from depression_vr.explaining.partition.sanity_figures import curve_figure, randomised_figure, replaced_figure
from depression_vr.explaining.partition.sanity_tables import (
    area_table,
    curve_table,
    randomised_table,
    replaced_table,
)
from depression_vr.explaining.partition.store import LookedVideos
from depression_vr.explaining.pictures.canvas import save
from depression_vr.explaining.sanity.motion import MOTION
from depression_vr.faces.aligning.template_regions import region_masks
from depression_vr.files import write_csv, write_json
from depression_vr.runs.bands import NO_DIAGNOSIS

Found = dict[str, pd.DataFrame]
SUMMARY = "partition.json"


_CHECKS = ("deletion", "replaced", "randomised")


def remove_written(folder: Path) -> None:
    """Remove tables and figures of a time before, which may be of other methods, checks or weights."""
    figures = ["regions", *_CHECKS, *(f"maps_{name}" for name in (*METHODS, MOTION))]
    tables = ["regions", "deletion_heights", *_CHECKS]
    names = [f"{name}.png" for name in figures] + [f"{name}.csv" for name in tables]
    for name in [*names, SUMMARY]:
        (folder / name).unlink(missing_ok=True)


def write_bands(
    looking: Looking, looked: LookedVideos, videos: pd.DataFrame, maximum: float, folder: Path
) -> Found:
    """Write ``regions.csv``, ``regions.png`` and a ``maps_METHOD.png`` per method; give the table."""
    of_bands = bands(videos, looked, maximum, looking.wanted.resamples)
    table = region_table(of_bands, looking.names, _areas(looking))
    for place, name in enumerate(looking.names):
        save(band_maps(of_bands, place, name, looking.places), folder / f"maps_{name}.png")
    save(densities(table), folder / "regions.png")
    return _written({"regions": table}, folder)


def write_checks(looking: Looking, looked: LookedVideos, videos: pd.DataFrame, folder: Path) -> Found:
    """Write tables and figures of the sanity checks; give the tables.

    Args:
        looking: how the videos were looked at.
        looked: what was found of them.
        videos: those that were checked, rows of the manifest.
        folder: where to write.
    """
    checked = [check for row in videos.index if (check := looked.read(row).checked) is not None]
    names, subjects, resamples = looking.names, videos["subject"], looking.wanted.resamples
    curves = curve_table(checked, names, subjects, resamples)
    replaced = replaced_table(checked, _areas(looking), subjects, resamples)
    randomised = randomised_table(checked, looking.methods, looking.parts, subjects, resamples)
    save(curve_figure(curves, names), folder / "deletion.png")
    save(replaced_figure(replaced), folder / "replaced.png")
    save(randomised_figure(randomised), folder / "randomised.png")
    heights = area_table(checked, names, subjects, resamples)
    tables = {"deletion": curves, "deletion_heights": heights, "replaced": replaced, "randomised": randomised}
    return _written(tables, folder)


def write_summary(
    found: Found, looking: Looking, looked: LookedVideos, videos: pd.DataFrame, folder: Path
) -> None:
    """Write all tables but the curves as ``partition.json``, with what they were made of."""
    content: dict[str, Any] = {
        "note": NO_DIAGNOSIS,
        "run": str(looking.trained.run.folder),
        "checkpoint": str(looking.trained.checkpoint),
        "corpus": looking.trained.datamodule.manifest.corpus,
        "partition": looking.wanted.partition,
        "videos": len(videos),
        "substituted_frames": sum(looked.read(row).substituted for row in videos.index),
        "eyes_and_mouth": looking.places.tolist(),
    }
    tables = {name: table.to_dict("records") for name, table in found.items() if name != "deletion"}
    write_json(folder / SUMMARY, content | tables)


def _areas(looking: Looking) -> np.ndarray:
    return region_masks(looking.size, looking.places).mean(axis=(1, 2))


def _written(tables: Found, folder: Path) -> Found:
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)
    return tables
