"""How many scores intervals cover, on made scores whose law is known."""

import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from depression_vr.intervals.calibration import Calibration, Clips, Kind
from depression_vr.intervals.conformal import conformal_intervals, fewest
from depression_vr.intervals.console import print_calibration
from depression_vr.intervals.networks import one_of_each_subject

CALIBRATIONS = 400
NEW = 25
STANDARD_ERRORS = 4

Errors = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def calibration(residuals: np.ndarray, spreads: np.ndarray, maximum: float = 63) -> Calibration:
    return Calibration(
        corpus="made",
        dataset="0",
        partition="development",
        videos=len(residuals),
        selected_on=False,
        maximum=maximum,
        weights="0",
        clips=Clips(16, 1, (48, 48), "size", ((0, 1, 0, 1),), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        residuals=tuple(np.abs(residuals)),
        spreads=tuple(spreads),
    )


def even(generator: np.random.Generator, videos: int) -> tuple[np.ndarray, np.ndarray]:
    """Skewed errors that have nothing to do with the spread; a third of the videos has one window."""
    errors = generator.gamma(2, 3, videos) * generator.choice([-1, 1, 1], videos)
    return errors, np.maximum(generator.normal(1, 2, videos), 0)


def uneven(generator: np.random.Generator, videos: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors three times as large where the windows disagree three times as much."""
    spreads = generator.choice([1.0, 3.0], videos)
    return generator.normal(0, 2 * spreads), spreads * generator.uniform(0.9, 1.1, videos)


def coverages(
    errors: Errors, subjects: int, confidence: float, kind: Kind
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of `NEW` scores, for each of `CALIBRATIONS`, are covered, the widths, and the videos' spreads."""
    generator = np.random.default_rng(0)
    covered, widths, of_windows = np.empty((3, CALIBRATIONS, NEW))
    for row in range(CALIBRATIONS):
        known = calibration(*errors(generator, subjects))
        wrong, spreads = errors(generator, NEW)
        labels = generator.integers(0, 64, NEW).astype(float)
        estimates = labels + wrong
        lows, highs = known.interval(estimates, spreads, confidence, kind)
        covered[row] = (lows <= labels) & (labels <= highs)
        widths[row] = 2 * known.half_widths(spreads, confidence, kind)
        of_windows[row] = spreads
    return covered, widths, of_windows


def standard_error(covered: np.ndarray) -> float:
    """Of the mean coverage: calibrations are independent, the scores of one are not."""
    return float(covered.mean(axis=1).std(ddof=1) / math.sqrt(len(covered)))


@pytest.mark.parametrize("errors", [even, uneven])
@pytest.mark.parametrize("confidence", [0.9, 0.8, 0.95])
@pytest.mark.parametrize("kind", ["standard", "normalised"])
def test_intervals_cover_as_many_scores_as_they_say(errors: Errors, confidence: float, kind: Kind) -> None:
    subjects = 59  # 60 times each confidence is whole: then coverage is exactly the confidence
    covered, _, _ = coverages(errors, subjects, confidence, kind)
    error = standard_error(covered)
    assert error < 0.005
    assert abs(covered.mean() - confidence) < STANDARD_ERRORS * error


def test_coverage_varies_between_calibrations_as_is_said() -> None:
    covered, _, _ = coverages(even, 9, 0.9, "standard")
    between = calibration(*even(np.random.default_rng(0), 9)).deviation(0.9)
    of_new = math.sqrt(0.9 * 0.1 / NEW)
    assert covered.mean(axis=1).std() == pytest.approx(math.hypot(between, of_new), rel=0.15)


def test_normalised_intervals_are_wide_where_windows_disagree() -> None:
    covered, widths, spreads = coverages(uneven, 59, 0.9, "normalised")
    hard, easy = spreads > 2, spreads < 2
    of_standard, same, _ = coverages(uneven, 59, 0.9, "standard")
    assert np.ptp(same, axis=1).max() == 0
    widest_easy = np.where(easy, widths, -np.inf).max(axis=1)
    assert (widest_easy < np.where(hard, widths, np.inf).min(axis=1)).all()
    assert widths[easy].mean() < 0.7 * same.mean() < same.mean() < widths[hard].mean()
    assert widths.mean() < 0.9 * same.mean()
    assert covered[hard].mean() > of_standard[hard].mean()
    assert covered[easy].mean() < of_standard[easy].mean()


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99, 2 / 3])
def test_the_width_is_that_of_the_right_residual(confidence: float) -> None:
    for subjects in range(fewest(confidence), fewest(confidence) + 30):
        residuals = np.random.default_rng(subjects).permutation(subjects) + 1.0
        kth = math.ceil(confidence * (subjects + 1) - 1e-9)
        known = calibration(residuals, np.zeros(subjects))
        for kind in ("standard", "normalised"):
            assert known.half_widths(np.zeros(1), confidence, kind)[0] == pytest.approx(kth)  # type: ignore[arg-type]


@pytest.mark.parametrize(("confidence", "needed"), [(0.9, 9), (0.95, 19), (0.8, 4), (0.99, 99), (0.5, 1)])
def test_too_few_subjects_give_no_interval_but_a_reason(confidence: float, needed: int) -> None:
    enough = calibration(np.ones(needed), np.ones(needed))
    assert enough.too_few(confidence) is None
    assert np.isfinite(enough.half_widths(np.zeros(1), confidence)).all()
    if needed > 1:
        few = calibration(np.ones(needed - 1), np.ones(needed - 1))
        assert f"take {needed}" in str(few.too_few(confidence))
        lows, highs = few.interval(np.array([10.0]), np.zeros(1), confidence)
        assert (lows[0], highs[0]) == (0, 63)  # what an infinite interval leaves of the scale


def test_no_interval_is_said_to_be_wider_than_the_scale(capsys: pytest.CaptureFixture[str]) -> None:
    print_calibration(calibration(np.full(20, 5.0), np.array([0.1] * 19 + [10.0])), 0.9)
    assert "standard ±5.0 points; of these videos normalised ±5.0 to ±63.0 points" in capsys.readouterr().out


def test_what_is_said_of_few_subjects_holds_for_them() -> None:
    def remarks(subjects: int, videos: int, confidence: float = 0.9) -> str:
        made = replace(calibration(np.ones(subjects), np.ones(subjects)), videos=videos)
        return " ".join(made.remarks(confidence))

    assert "varies" not in remarks(3, 6)
    assert "12 subjects are few: what intervals of 90% really cover varies by 7%" in remarks(12, 24)
    assert "intervals of 50% really cover varies by 13%" in remarks(12, 24, 0.5)
    assert "varies" not in remarks(12, 24, 0.95)  # of which there are none
    assert "varies" not in remarks(40, 80)
    assert "every video counts as a subject" in remarks(40, 40)
    assert "every video" not in remarks(40, 80)


def test_a_confidence_is_not_rounded() -> None:
    few = calibration(np.ones(20), np.ones(20))
    assert "intervals of 97.5% take 39" in str(few.too_few(0.975))
    assert "intervals of 99.9% take 999" in str(few.too_few(0.999))


def test_intervals_end_where_the_scale_ends() -> None:
    known = calibration(np.full(20, 5.0), np.ones(20), maximum=24)
    lows, highs = known.interval(np.array([2.0, 12.0, 23.0, 40.0]), np.ones(4), 0.9)
    assert lows.tolist() == [0, 7, 18, 24]
    assert highs.tolist() == [7, 17, 24, 24]


def test_a_video_of_one_window_has_half_the_width_of_the_median_video() -> None:
    known = calibration(np.full(20, 5.0), np.linspace(0, 4, 20))
    assert known.beta == 2
    one_window, median = known.half_widths(np.array([0.0, 2.0]), 0.9, "normalised")
    assert one_window == median / 2 > 0


def test_videos_of_one_subject_are_not_counted_as_if_they_were_of_several() -> None:
    """Of subjects that are wrong alike in all videos, all videos together would promise too much."""
    generator = np.random.default_rng(0)
    covered: dict[str, list[bool]] = {"one of each": [], "all": []}
    for _ in range(1000):
        subjects = np.repeat(np.arange(12), 20)
        errors = np.abs(generator.normal(0, 5, 12))[subjects]
        ids = [f"{subject}_{number}" for number, subject in enumerate(subjects)]
        videos = pd.DataFrame({"video_id": ids, "subject": subjects, "error": errors})
        new = abs(generator.normal(0, 5))
        for name, table in (("one of each", one_of_each_subject(videos)), ("all", videos)):
            known = calibration(table["error"].to_numpy(), np.ones(len(table)))
            covered[name].append(bool(new <= known.half_widths(np.ones(1), 0.9)[0]))
    error = math.sqrt(0.9 * 0.1 / 1000)
    assert abs(np.mean(covered["one of each"]) - 12 / 13) < STANDARD_ERRORS * error
    assert np.mean(covered["all"]) < 0.9 - STANDARD_ERRORS * error


def test_which_video_stands_for_a_subject_does_not_depend_on_the_order() -> None:
    videos = pd.DataFrame(
        {"video_id": [f"v{n}" for n in range(30)], "subject": [str(n // 3) for n in range(30)]}
    )
    kept = one_of_each_subject(videos)
    again = one_of_each_subject(videos.sample(frac=1, random_state=0))
    assert sorted(kept["video_id"]) == sorted(again["video_id"])
    assert sorted(kept["subject"]) == sorted(str(n) for n in range(10))


def test_the_library_changes_no_warning_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "crepes"]:
        monkeypatch.delitem(sys.modules, name)
    before = list(warnings.filters)
    conformal_intervals(np.ones(3), np.ones(1), confidence=0.9, maximum=63)
    assert list(warnings.filters) == before
