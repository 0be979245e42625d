"""How rows are measured and what their figures become."""

from collections.abc import Callable

import cv2
import pytest

from depression_vr.bench.rows import Bound, Goal, Measure, Result, Row, measure
from depression_vr.bench.table import as_markdown

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


def bounded(unit: str, figure: float) -> Result:
    rate = Measure("products", "FLOP/s", lambda: 0.0)
    row = Row("row", Measure("something", unit, lambda: 0.0), bound=Bound(rate, 30))
    return Result(row, (figure,), limits=(90, 100, 110))


def test_what_the_machine_allows_is_measured_with_the_row(counting: Counting, calls: list[str]) -> None:
    limit = counting("l")
    bound = Bound(limit, 1)
    timed = Measure("c", "s", counting("c").run)
    rows = [Row("first", counting("a"), counting("b")), Row("second", timed, bound=bound)]
    results = measure(rows, 2)
    assert "".join(calls) == "abclabcl"
    assert results[0].limits == ()
    assert results[1].limits == (4, 8)


def test_the_share_of_the_bound_is_1_where_nothing_but_its_work_takes_time() -> None:
    # 30 of 100 a second: 0.3 s each
    assert bounded("s", 0.3).share_of_bound == pytest.approx(1)
    assert bounded("s", 0.6).share_of_bound == pytest.approx(0.5)
    assert bounded("clips/s", 1 / 0.6).share_of_bound == pytest.approx(0.5)
    assert result((1,)).share_of_bound is None


def test_what_is_no_time_and_no_rate_has_no_bound() -> None:
    with pytest.raises(ValueError, match="MiB is no time"):
        bounded("MiB", 1)


def test_the_markdown_table_says_all_of_a_row() -> None:
    rate = Result(Row("limit", Measure("products", "FLOP/s", lambda: 0.0)), (2.5e12,))
    one = Measure("something", "frames/s", lambda: 0.0)
    bound = Bound(Measure("decoding", "frames/s", lambda: 0.0), 1)
    compared = Result(Row("loader", one, one, Goal("ratio", least=4), bound), (30,), (10,), (60,))
    heading, rule, *lines = as_markdown([rate, compared]).splitlines()
    assert heading.count("|") == rule.count("|") == lines[0].count("|") == lines[1].count("|")
    assert lines[0] == "| limit | products | TFLOP/s | 2.50 | - | - | - | - |"
    assert lines[1] == (
        "| loader | something; baseline: something; limit: decoding | frames/s | 30.0 | 10.0 | 3.00 | 50% "
        "| ratio at least 4: missed |"
    )
