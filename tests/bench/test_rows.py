"""How rows are measured and what their figures become."""

from collections.abc import Callable

import cv2
import pytest

from depression_vr.bench.rows import Goal, Measure, Result, Row, measure

Counting = Callable[..., Measure]


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def counting(calls: list[str]) -> Counting:
    """Makes measures whose figures are 1, 2, 3, ... in the order of all calls."""

    def make(name: str, *, repeated: bool = True) -> Measure:
        def run() -> float:
            calls.append(name)
            return float(len(calls))

        return Measure(name, "calls", run, repeated)

    return make


def result(figures: tuple[float, ...], baselines: tuple[float, ...] = (), goal: Goal | None = None) -> Result:
    one = Measure("something", "frames/s", lambda: 0.0)
    return Result(Row("row", one, one if baselines else None, goal), figures, baselines)


def test_repetitions_alternate_between_ours_and_the_baseline(counting: Counting, calls: list[str]) -> None:
    rows = [Row("first", counting("a"), counting("b")), Row("second", counting("c"))]
    results = measure(rows, repetitions=3)
    assert "".join(calls) == "abcabcabc"
    assert results[0].figures == (1, 4, 7)
    assert results[0].baselines == (2, 5, 8)
    assert results[1].figures == (3, 6, 9)
    assert results[1].baselines == ()


def test_a_shared_baseline_is_measured_once_a_repetition(counting: Counting, calls: list[str]) -> None:
    baseline = counting("b")
    results = measure([Row("first", counting("a"), baseline), Row("second", counting("c"), baseline)], 2)
    assert "".join(calls) == "abcabc"
    assert results[0].baselines == results[1].baselines == (2, 5)


def test_what_gives_one_figure_is_measured_once(counting: Counting, calls: list[str]) -> None:
    results = measure([Row("first", counting("a")), Row("second", counting("b", repeated=False))], 2)
    assert "".join(calls) == "aba"
    assert results[1].figures == (2,)


def test_opencv_has_one_thread_while_it_is_measured() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        row = Row("threads", Measure("threads", "threads", lambda: float(cv2.getNumThreads())))
        assert measure([row], 1)[0].figure == 1
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_the_ratio_is_that_of_the_medians() -> None:
    outcome = result((8, 100, 9), baselines=(3, 1, 2))
    assert (outcome.figure, outcome.baseline, outcome.ratio) == (9, 2, 4.5)
    assert result((8, 9)).ratio is None


def test_goals_are_met_at_their_limits() -> None:
    assert result((8,), (2,), Goal("ratio", least=4)).met
    assert result((7.9,), (2,), Goal("ratio", least=4)).met is False
    assert result((1,), goal=Goal("figure", most=1)).met
    assert result((1.1,), goal=Goal("figure", most=1)).met is False
    assert result((float("nan"),), goal=Goal("figure", most=1)).met is False
    assert result((1,)).met is None
    assert str(Goal("ratio", least=4)) == "ratio at least 4"
