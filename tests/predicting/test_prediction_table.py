"""What the terminal shows of predictions."""

from dataclasses import replace
from pathlib import Path

import pytest

from depression_vr.predicting.console import print_predictions
from depression_vr.predicting.results import Estimate, Prediction, WindowScore

LONG = "Freeform/210_1_Freeform_video_with_a_name_of_many_words"
WINDOW = WindowScore(0, 0, 15, 0.0, 0.5, -0.04)
ESTIMATE = Estimate(-0.04, "minimal", 0.0, None, None, None, None, None, "too few subjects", (WINDOW,))


def test_predictions_are_shown_without_columns_that_say_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scored = Prediction(LONG, "a.mp4", "scored", estimate=ESTIMATE)
    print_predictions([scored], tmp_path)
    headings, row, *others = capsys.readouterr().out.splitlines()
    assert headings.split() == ["video", "score", "band", "windows"]
    assert row.split() == [LONG, "0.0", "minimal", "1"]
    assert "no interval: too few subjects" in others

    known = replace(ESTIMATE, confidence=0.9, low=0.0, high=9.5, interval_note=None)
    failed = Prediction("b [1]", "b.mp4", "failed", ("it ends at once", "it has no frames"))
    print_predictions([replace(scored, estimate=known), failed], tmp_path)
    headings, row, of_failed, *_ = capsys.readouterr().out.splitlines()
    assert headings.split() == ["video", "score", "band", "interval", "windows", "no", "estimate"]
    assert row.endswith("minimal  0.0 to 9.5        1")
    assert of_failed.startswith("b [1] ")
    assert of_failed.endswith("failed: it ends at once; it has no frames")
    assert of_failed.index("failed") == headings.index("no estimate")
