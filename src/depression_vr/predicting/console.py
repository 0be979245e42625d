"""What the terminal shows at the end."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from depression_vr.predicting.results import Prediction
from depression_vr.runs.bands import NO_DIAGNOSIS
from depression_vr.runs.console import print_table
from depression_vr.runs.in_words import rounded

_HEADINGS = ("video", "score", "band", "interval", "windows", "no estimate")
_TEXTS = ("video", "band", "no estimate")


def print_predictions(predictions: Sequence[Prediction], index: Path) -> None:
    """One row per video, and where the pages are."""
    print_table(_HEADINGS, [_cells(each) for each in predictions], left=_TEXTS)
    console = Console()
    for doubt in dict.fromkeys(filter(None, map(_doubt, predictions))):
        console.print(doubt, markup=False, highlight=False)
    console.print(NO_DIAGNOSIS)
    console.print(f"written: {index}", soft_wrap=True, markup=False, highlight=False)


def _cells(prediction: Prediction) -> tuple[str, ...]:
    estimate = prediction.estimate
    if estimate is None:
        return prediction.video_id, "", "", "", "", f"{prediction.status}: {'; '.join(prediction.reasons)}"
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        doubtful = " (?)" if estimate.interval_note is not None else ""
        interval = f"{rounded(estimate.low, 1)} to {rounded(estimate.high, 1)}{doubtful}"
    windows = str(len(estimate.windows))
    return prediction.video_id, rounded(estimate.score, 1), estimate.band or "", interval, windows, ""


def _doubt(prediction: Prediction) -> str | None:
    estimate = prediction.estimate
    if estimate is None or estimate.interval_note is None:
        return None
    return f"{'no interval:' if estimate.low is None else '(?)'} {estimate.interval_note}"
