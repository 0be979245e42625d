"""What the quality table of a video sums up to."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from depression_vr.faces.aligning.quality_table import MEASURES

_STATES = ("detected", "tracked", "interpolated", "lost")
_NUMBERS = ("score", "confidence", "box_x0", "box_x1", *MEASURES)


def quality_summary(path: Path) -> dict[str, Any]:
    """Counts of frames by state, rates, the longest gap, and mean and deviation of the measures.

    ``face_width_mean`` is the width of the landmarks' box in pixels of the upright frame, over the frames
    that were written; ``score_mean`` is over the frames in which the face was detected, ``confidence_mean``
    over those in which it was seen. Where there is no such frame, means and deviations are 0.

    Args:
        path: a table that `QualityTable` has written, of at least one frame.
    """
    table = pd.read_parquet(path, columns=["state", "time", "faces", *_NUMBERS])
    table = table.astype(dict.fromkeys(_NUMBERS, float))
    state = table["state"]
    seen, is_written = state.isin(["detected", "tracked"]), state != "lost"
    written = table[is_written]
    gap_frames, gap_seconds = _longest_gap(seen.to_numpy(), table["time"].to_numpy())
    return {
        "frames": len(table),
        "frames_written": len(written),
        **{name: int((state == name).sum()) for name in _STATES},
        "seen_rate": float(seen.mean()),
        "written_rate": float(is_written.mean()),
        "longest_gap_frames": gap_frames,
        "longest_gap_seconds": gap_seconds,
        "most_faces": int(table["faces"].max()),
        "several_faces_rate": float((table["faces"] > 1).mean()),
        **{f"{name}_mean": _mean(written[name]) for name in MEASURES},
        **{f"{name}_std": float(np.std(written[name])) if len(written) else 0.0 for name in MEASURES},
        "face_width_mean": _mean(written["box_x1"] - written["box_x0"]),
        "score_mean": _mean(table["score"][state == "detected"]),
        "confidence_mean": _mean(table["confidence"][seen]),
    }


def _mean(values: pd.Series) -> float:
    return float(values.mean()) if values.notna().any() else 0.0


def _longest_gap(seen: np.ndarray, time: np.ndarray) -> tuple[int, float]:
    """In frames and seconds: from the last frame with a face to the next one, or to the video's ends."""
    edges = np.array([-1, *np.flatnonzero(seen), len(seen)])
    frames = np.diff(edges) - 1
    seconds = np.diff(time[edges.clip(0, len(time) - 1)])
    return int(frames.max()), round(float(seconds[frames > 0].max(initial=0.0)), 6)
