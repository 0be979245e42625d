"""The report on an output folder: what failed, what is worth a look, and how good the frames are.

HTML without scripts and without anything from elsewhere; the same videos give the same report.
"""

import base64
import hashlib
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from depression_vr.data.manifest import PARTITIONS
from depression_vr.faces.output import QUALITY, SUMMARY, Output
from depression_vr.faces.reporting.contact_sheet import STATE_COLOURS, clock, contact_sheet, timeline
from depression_vr.faces.reporting.corpus_tables import VideoRecord
from depression_vr.files import replacing, write_text
from depression_vr.pages import templates
from depression_vr.palette import GREY
from depression_vr.runs.in_words import with_minus
from depression_vr.svg_figures import svg

REPORT = "report"
_PAGE = "index.html"
_PLOTS = "plots"
_SHEETS = "contact_sheets"

_LEAST_SEEN = 0.9
_OFTEN_SEVERAL = 0.02
_LONG_GAP = 1.0  # seconds

_NO_PARTITION = "no partition"
_PARTITION_COLOURS = dict(
    zip((*PARTITIONS, _NO_PARTITION), ("#7b5fc0", "#e08214", "#1b9e77", "#8c8c8c"), strict=True)
)

_CONCERNS = {
    "Could not be made again": "The frames are those of an earlier run, made with its settings.",
    "Damaged file": "Frames are missing where the file is damaged; a better copy may have them.",
    "Variable frame rate": "The frames are unevenly spaced in time, unless they were made with fps=N.",
    "Several faces": "The person in view longest was followed. See whether that is the participant.",
    "Often not seen": f"The face was seen in less than {_LEAST_SEEN:.0%} of the frames.",
    "Long gap": f"The face was not seen for more than {_LONG_GAP:g} s.",
    "Small face": "The face is smaller than the frames that were made of it, so it was enlarged.",
    "Unreadable": "The table of the frames is damaged; remove the folder and preprocess the video again.",
}
_HISTOGRAMS: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "seen_rate": ("Face seen", "share of the frames", (_LEAST_SEEN, 1.0)),
    "longest_gap_seconds": ("Longest gap", "seconds", (0.0, _LONG_GAP)),
    "brightness_mean": ("Brightness of the face", "mean luma, 0 to 255", ()),
    "sharpness_mean": ("Sharpness of the face", "variance of the Laplacian", ()),
    "scale": ("Enlargement of the face", "pixels out for one pixel in", (1.0,)),
}
"""Columns with title, unit, and the values that are always in view."""


@dataclass(frozen=True)
class _Entry:
    """One finished video in the report.

    Attributes:
        place: its folder below the output.
        summary: its summary; with ``scale``, pixels out for one pixel in, where it can be read.
        concerns: what is worth a look: key of `_CONCERNS` and detail.
        timeline: a picture as URL; None where the table cannot be read.
        sheet: relative URL of the contact sheet; None where there is none.
    """

    place: PurePosixPath
    summary: Mapping[str, Any]
    concerns: tuple[tuple[str, str], ...]
    timeline: str | None
    sheet: str | None

    @property
    def partition(self) -> str:
        """Of `_PARTITION_COLOURS`."""
        return self.summary["partition"] or _NO_PARTITION

    @property
    def anchor(self) -> str:
        """Names the video within the page."""
        return f"v{_digest(self.place)}"


def write_report(output: Output, records: Sequence[VideoRecord], *, faces: bool) -> Path:
    """Write ``report/index.html``.

    Contact sheets are made where they are missing or older than their video's frames.

    Args:
        output: where the frames are, and where the report goes.
        records: the videos.
        faces: show faces. Otherwise no picture of a person is written, and those of an earlier report are
            removed.

    Returns:
        Path of the page.
    """
    report = output.root / REPORT
    finished = [record for record in records if record.summary is not None]
    places = [_place(record, output) for record in finished]
    _remove_pictures(report / _SHEETS, {_sheet_name(place) for place in places} if faces else set())
    with ThreadPoolExecutor() as pool:
        entries = list(pool.map(partial(_entry, output, faces), finished, places))
    plots = _write_plots(report / _PLOTS, entries) if entries else {}
    failed = [(_place(record, output), record.reason) for record in records if record.summary is None]
    write_text(report / _PAGE, _page(entries, failed, plots, faces))
    return report / _PAGE


def _place(record: VideoRecord, output: Output) -> PurePosixPath:
    return PurePosixPath(output.folder(record.video).relative_to(output.root).as_posix())


def _entry(output: Output, faces: bool, record: VideoRecord, place: PurePosixPath) -> _Entry:
    folder = output.root / place
    summary = {**(record.summary or {})}
    try:
        quality = pd.read_parquet(folder / QUALITY, columns=["state", "align_a", "align_b"])
    except (OSError, ValueError):
        concerns = (*_concerns(summary, record.reason), ("Unreadable", QUALITY))
        return _Entry(place, summary, concerns, None, None)
    if summary["frames_written"]:
        summary["scale"] = float(np.nanmean(np.hypot(quality["align_a"], quality["align_b"])))
    sheet = None
    if faces:
        sheet = PurePosixPath(_SHEETS, _sheet_name(place))
        _update_sheet(output.root / REPORT / sheet, folder)
    return _Entry(
        place,
        summary,
        tuple(_concerns(summary, record.reason)),
        _png_url(timeline(quality["state"].tolist(), height=1)),
        quote(str(sheet)) if sheet else None,
    )


def _concerns(summary: Mapping[str, Any], reason: str) -> Iterator[tuple[str, str]]:
    if reason:
        yield "Could not be made again", reason
    if summary["damage"]:
        yield "Damaged file", summary["damage"]
    if summary["variable_frame_rate"]:
        yield "Variable frame rate", f"{summary['frame_rate']:.4g} frames/s on average"
    if summary["several_faces_rate"] > _OFTEN_SEVERAL:
        share = f"in {100 * summary['several_faces_rate']:.0f}% of the frames"
        yield "Several faces", f"up to {summary['most_faces']} at once, {share}"
    if summary["seen_rate"] < _LEAST_SEEN:
        yield "Often not seen", f"seen in {100 * summary['seen_rate']:.1f}% of the frames"
    if summary["longest_gap_seconds"] > _LONG_GAP:
        yield "Long gap", f"{summary['longest_gap_seconds']:.1f} s, {summary['longest_gap_frames']} frames"
    if summary.get("scale", 0) > 1:
        yield "Small face", f"enlarged {summary['scale']:.2f} times on average"


def _sheet_name(place: PurePosixPath) -> str:
    """A name that every disk takes; the digest tells apart what reads the same."""
    return f"{re.sub(r'[^A-Za-z0-9-]+', '_', str(place))[:80]}-{_digest(place)}.jpg"


def _digest(place: PurePosixPath) -> str:
    return hashlib.sha256(str(place).encode()).hexdigest()[:12]


def _remove_pictures(folder: Path, keep: set[str]) -> None:
    if not folder.exists():
        return
    if not keep:
        shutil.rmtree(folder)
        return
    for path in folder.iterdir():
        if path.name not in keep:
            path.unlink()


def _update_sheet(path: Path, folder: Path) -> None:
    made = (folder / SUMMARY).stat().st_mtime_ns
    if path.exists() and path.stat().st_mtime_ns >= made:
        return
    picture = Image.fromarray(contact_sheet(folder))
    with replacing(path) as file:
        picture.save(file, format="JPEG", quality=85)
        file.flush()
        os.utime(file.name, ns=(made, made))  # frames that were replaced meanwhile are newer


def _png_url(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _write_plots(folder: Path, entries: Sequence[_Entry]) -> dict[str, str]:
    """Write all plots; returns their titles by file name."""
    table = pd.DataFrame([{**entry.summary, "partition": entry.partition} for entry in entries])
    plots: dict[str, tuple[Callable[[Axes], None], str, str]] = {
        f"{column}.svg": (partial(_draw_histogram, table, column, in_view), title, unit)
        for column, (title, unit, in_view) in _HISTOGRAMS.items()
        if column in table
    }
    plots["head.svg"] = (partial(_draw_heads, table), "Turn of the head", "yaw, degrees")
    for name, (draw, title, unit) in plots.items():
        _write_plot(folder / name, draw, title, unit)
    return {name: title for name, (_, title, _) in plots.items()}


def _draw_histogram(table: pd.DataFrame, column: str, in_view: tuple[float, ...], axes: Axes) -> None:
    known = table.dropna(subset=column).astype({column: float})
    edges = np.histogram_bin_edges([*known[column], *in_view], bins=24)
    by_partition = {name: rows[column] for name, rows in known.groupby("partition")}
    there = [name for name in _PARTITION_COLOURS if name in by_partition]
    axes.hist(
        [by_partition[name] for name in there],
        bins=list(edges),
        stacked=True,
        color=[_PARTITION_COLOURS[name] for name in there],
    )
    axes.set_ylabel("videos")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_heads(table: pd.DataFrame, axes: Axes) -> None:
    """Each video's mean yaw and pitch, its lines a standard deviation long to either side."""
    for partition, colour in _PARTITION_COLOURS.items():
        rows = table[table["partition"] == partition]
        yaw, pitch, yaw_spread, pitch_spread = (
            rows[column].astype(float) for column in ("yaw_mean", "pitch_mean", "yaw_std", "pitch_std")
        )
        axes.errorbar(yaw, pitch, pitch_spread, yaw_spread, "none", ecolor=colour, alpha=0.25, lw=0.8)
        axes.plot(yaw, pitch, "o", color=colour, markersize=3)
    axes.axhline(0, color=GREY, lw=0.5)
    axes.axvline(0, color=GREY, lw=0.5)
    axes.set_ylabel("pitch, degrees")


def _write_plot(path: Path, draw: Callable[[Axes], None], title: str, unit: str) -> None:
    figure = Figure(figsize=(4, 2.7))
    axes = figure.add_axes((0.14, 0.18, 0.82, 0.7))
    draw(axes)
    axes.set_title(title, color=GREY, fontsize=10, fontweight="bold")
    axes.set_xlabel(unit)
    write_text(path, svg(figure, [axes], points=8, salt=path.name))


def _page(
    entries: Sequence[_Entry],
    failed: Sequence[tuple[PurePosixPath, str]],
    plots: Mapping[str, str],
    faces: bool,
) -> str:
    environment = templates("depression_vr.faces.reporting")
    environment.filters.update(fixed=_fixed, clock=clock, quoted=lambda place: quote(str(place)))
    return environment.get_template("report.html.j2").render(
        faces=faces,
        totals=_totals(entries),
        entries=sorted(entries, key=_worst_first),
        failed=failed,
        concerns=_by_concern(entries),
        plots={f"{_PLOTS}/{name}": title for name, title in plots.items()},
        partition_colours=_PARTITION_COLOURS,
        state_colours={state: f"rgb{colour}" for state, colour in STATE_COLOURS.items()},
    )


def _by_concern(entries: Sequence[_Entry]) -> list[tuple[str, str, list[tuple[_Entry, str]]]]:
    """Each concern that there is, what it means, and the videos with their details."""
    found: dict[str, list[tuple[_Entry, str]]] = {kind: [] for kind in _CONCERNS}
    for entry in entries:
        for kind, detail in entry.concerns:
            found[kind].append((entry, detail))
    return [(kind, meaning, found[kind]) for kind, meaning in _CONCERNS.items() if found[kind]]


def _worst_first(entry: _Entry) -> tuple[float, float, PurePosixPath]:
    return entry.summary["seen_rate"], -entry.summary["longest_gap_seconds"], entry.place


def _totals(entries: Sequence[_Entry]) -> list[dict[str, Any]]:
    """Counts by partition, and of all at last."""
    groups = {
        partition: [entry.summary for entry in entries if entry.partition == partition]
        for partition in _PARTITION_COLOURS
    }
    groups = {partition: summaries for partition, summaries in groups.items() if summaries}
    groups["all"] = [entry.summary for entry in entries]
    counts = ("frames", "frames_written", "detected", "tracked", "interpolated", "lost", "seconds")
    return [
        {"partition": name, "videos": len(group)} | {key: sum(one[key] for one in group) for key in counts}
        for name, group in groups.items()
    ]


def _fixed(value: float | None, digits: int = 0) -> str:
    """A number with so many digits after the point; a dash where there is none."""
    return "\N{EN DASH}" if value is None else with_minus(f"{value:z,.{digits}f}")
