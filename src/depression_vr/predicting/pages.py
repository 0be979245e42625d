"""The pages of a call: one per video, and one that lists them. Each is one file without scripts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from depression_vr.faces.reporting.contact_sheet import STATE_COLOURS, clock
from depression_vr.files import write_text
from depression_vr.pages import templates
from depression_vr.predicting.figures import score_timeline, track_quality
from depression_vr.predicting.inputs import PREDICTIONS, ReadyVideo
from depression_vr.predicting.pictures import Picture
from depression_vr.predicting.results import Prediction
from depression_vr.runs.bands import NO_DIAGNOSIS
from depression_vr.runs.in_words import rounded, with_minus


def write_video_page(
    out: Path, prediction: Prediction, video: ReadyVideo, pictures: Sequence[Picture], method: str | None
) -> None:
    """Write ``videos/<video_id>/index.html``.

    Args:
        out: the folder of all outputs.
        prediction: what is said of the video.
        video: with its quality table, if it has one.
        pictures: of the face; none for a page without.
        method: that the pictures show, if there are any.
    """
    estimate, quality = prediction.estimate, video.quality()
    page = _template("video.html.j2").render(
        prediction=prediction,
        timeline=None if estimate is None else score_timeline(estimate),
        quality=None if quality is None or quality.empty else track_quality(quality),
        pictures=pictures,
        method=None if method is None else method.replace("_", " "),
        up="../" * prediction.page.count("/"),
    )
    write_text(out / prediction.page, page)


def write_index(out: Path, predictions: Sequence[Prediction], facts: Mapping[str, Any]) -> Path:
    """Write ``index.html``; returns its path."""
    page = _template("index.html.j2").render(
        predictions=predictions,
        facts=facts,
        tables=PREDICTIONS,
        doubts=sorted(set(filter(None, map(_doubt, predictions)))),
        pages={each.page for each in predictions if (out / each.page).is_file()},
    )
    write_text(out / "index.html", page)
    return out / "index.html"


def _doubt(prediction: Prediction) -> str | None:
    estimate = prediction.estimate
    return None if estimate is None or estimate.low is None else estimate.interval_note


def _points(score: float) -> str:
    return with_minus(rounded(score, 1))


def _template(name: str) -> jinja2.Template:
    environment = templates("depression_vr.predicting")
    environment.filters.update(clock=clock, points=_points, quoted=quote, with_minus=with_minus)
    environment.globals.update(
        note=NO_DIAGNOSIS,
        state_colours={state: f"rgb{colour}" for state, colour in STATE_COLOURS.items()},
    )
    return environment.get_template(name)
