"""Everything that explains the score of one video: pictures, films and numbers in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from depression_vr.explaining.attributions import METHODS, attribute_pixels
from depression_vr.explaining.chosen_video import ChosenVideo
from depression_vr.explaining.methods import Settings
from depression_vr.explaining.pictures.canvas import save
from depression_vr.explaining.pictures.curve import temporal_curve
from depression_vr.explaining.pictures.film import write_overlay
from depression_vr.explaining.pictures.own import OWN_PICTURES, save_own_attention
from depression_vr.explaining.pictures.scores import score_over_time
from depression_vr.explaining.pictures.sheet import contact_sheet
from depression_vr.explaining.timeline import Timeline, timeline
from depression_vr.files import write_json
from depression_vr.parallel import Tick
from depression_vr.runs.bands import BDI_MAXIMUM, NO_DIAGNOSIS, severity_band

EXPLANATION = "explanation.json"
"""Written last: where it is, the video is explained."""
_PICTURES = (
    "scores.png",
    *OWN_PICTURES,
    *(f"{method}{end}" for method in METHODS for end in ("_sheet.png", "_curve.png", ".mp4")),
)
_MAP_SIDE = 28  # of the mean maps in the JSON file, at most


@dataclass(frozen=True)
class Wanted:
    """How videos are explained.

    Attributes:
        methods: names of `METHODS` that suit the network.
        settings: of the methods.
        made_from: all that the explanation depends on, written into it.
    """

    methods: tuple[str, ...]
    settings: Settings
    made_from: dict[str, Any]


def explain_video(video: ChosenVideo, tick: Tick, *, wanted: Wanted, out: Path) -> None:
    """Explain one video; what is in the folder from a time before is removed first.

    Args:
        video: to explain.
        tick: told of every window that is scored, and of every one that is explained by one method.
        wanted: how.
        out: the folder.

    Raises:
        UserError: a frame cannot be read, or the network has no such stage.
    """
    trained, axis, facts = video.trained, video.axis, video.facts
    scores = trained.window_scores(video.folder, tick)
    title = f"{facts['video_id']}: estimate {scores['estimate'].mean():.1f}, label {facts['label']:g}"
    out.mkdir(parents=True, exist_ok=True)
    for name in (EXPLANATION, *_PICTURES):
        (out / name).unlink(missing_ok=True)
    maximum = trained.datamodule.manifest.maximum
    save(
        score_over_time(title, scores, axis, label=float(facts["label"]), maximum=maximum),
        out / "scores.png",
    )
    read = [video.cut.read(window) for window in video.explained]
    pixels = [clip.pixels for clip in read]
    explained: dict[str, Any] = {}
    for method in wanted.methods:
        explained[method] = _explain(video, method, wanted.settings, pixels, (title, out), tick)
    attention = save_own_attention(video, pixels, title, out)
    is_bdi = maximum == BDI_MAXIMUM
    band = str(severity_band(scores["estimate"].agg(["mean"]))[0]) if is_bdi else None
    write_json(
        out / EXPLANATION,
        {
            "note": NO_DIAGNOSIS,
            **{key: facts[key] for key in ("video_id", "partition", "subject", "task", "recording")},
            "label": float(facts["label"]),
            "estimate": float(scores["estimate"].mean()),
            "severity_band": band,
            "windows": _windows(scores, video),
            "substituted_frames": sum(clip.substituted for clip in read),
            "methods": explained,
            "attention": attention,
            "run": str(trained.run.folder),
            "checkpoint": str(trained.checkpoint),
            "made_from": wanted.made_from,
        },
    )


def _explain(
    video: ChosenVideo,
    method: str,
    settings: Settings,
    pixels: Sequence[Tensor],
    told: tuple[str, Path],
    tick: Tick,
) -> dict[str, Any]:
    """Explain by one method: its pictures, and what the JSON file holds of it."""
    trained = video.trained
    found = []
    for clip in pixels:
        found.append(attribute_pixels(trained.module, method, clip, video.cut, trained.device, settings))
        tick()
    over_time = timeline(video.explained, found)
    title, out = told
    title = f"{title}\n{method}"
    save(contact_sheet(title, over_time, video.axis), out / f"{method}_sheet.png")
    save(temporal_curve(title, over_time, video.axis), out / f"{method}_curve.png")
    write_overlay(out / f"{method}.mp4", over_time, video.axis)
    times = video.axis.times
    return {
        "signed": METHODS[method].signed,
        "unit": METHODS[method].unit,
        "per_frame": {
            "frame": over_time.frames.tolist(),
            "second": None if times is None else times[over_time.frames].round(4).tolist(),
            **{name: curve.astype(float).tolist() for name, curve in over_time.curves().items()},
        },
        "mean_map": _mean_map(over_time),
        "missed": [attribution.missed for attribution in found] if METHODS[method].sums else None,
    }


def _mean_map(over_time: Timeline) -> list[list[float]]:
    """Mean magnitude over time, on a grid of at most 28x28 cells of equally many pixels, more or less."""
    mean = np.abs(over_time.importance).mean(0, dtype=float)
    rows, columns = (np.array_split(np.arange(side), min(side, _MAP_SIDE)) for side in mean.shape)
    return [[float(mean[np.ix_(row, column)].mean()) for column in columns] for row in rows]


def _windows(scores: pd.DataFrame, video: ChosenVideo) -> list[dict[str, Any]]:
    """A row per window, with seconds where they are known."""
    explained = {window.window for window in video.explained}
    rows = scores.assign(
        substituted=scores["substituted"].map(len), explained=scores["window"].isin(explained)
    )
    if video.axis.times is not None:
        rows["first_second"], rows["last_second"] = (
            video.axis.at(scores[column].to_numpy()) for column in ("first_frame", "last_frame")
        )
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]
