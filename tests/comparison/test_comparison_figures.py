"""What figures show, as the numbers that they are made of."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from depression_vr.comparison.cells import group_table
from depression_vr.comparison.figures.bands import errors_by_band
from depression_vr.comparison.figures.curves import learning_curves
from depression_vr.comparison.figures.disagreement import disagreements, most_disagreed
from depression_vr.comparison.grouping import grouped
from depression_vr.comparison.intervals import Interval
from depression_vr.comparison.measuring import Measured, MeasuredGroup, compare
from depression_vr.comparison.reading import FinishedRun, read_run
from made_runs import Made, corpus


@pytest.fixture
def measured(tmp_path: Path) -> list[MeasuredGroup]:
    """Three networks: one right, one 2 points too high, one 30 too low on one video alone."""
    manifest = corpus(5)
    tests = manifest[manifest["partition"] == "test"]
    one = pd.Series(0.0, manifest.index)
    one[tests.index[3]] = -30.0
    runs = []
    for name, error in (("right", 0.0), ("high", 2.0), ("odd", one)):
        folder = Made(tmp_path / name, manifest, name).write(estimates=manifest["label"] + error).folder
        run = read_run(folder)
        assert isinstance(run, FinishedRun)
        runs.append(run)
    groups, _, _ = grouped(runs, ["model"])
    return compare(groups, [], [], resamples=999, shows_ids=True).groups


def test_a_metric_and_its_interval_have_the_same_minus_sign(measured: list[MeasuredGroup]) -> None:
    of_videos = measured[0].metrics["videos"]
    below = Measured((-0.04,), Interval(-0.24, -0.001))
    group = replace(measured[0], metrics={"videos": of_videos | {"ccc": below}})
    headings, row = group_table([group])
    place = headings.index("CCC")
    assert row[place : place + 2] == ("\N{MINUS SIGN}0.04", "\N{MINUS SIGN}0.24 to 0.00")


def test_an_estimate_that_is_too_high_is_above_0(measured: list[MeasuredGroup]) -> None:
    made = errors_by_band(measured)
    (high,) = (trace for trace in made.data if trace.name == "high")
    assert set(high.y) == {2.0}


def test_the_mark_is_at_the_lowest_development_mae(measured: list[MeasuredGroup]) -> None:
    run = measured[0].group.runs[0]
    lowest = run.curves.loc[run.curves["development"].idxmin()]
    made = learning_curves(measured[:1], "training")
    assert made is not None
    (mark,) = (trace for trace in made.data if trace.mode == "markers")
    assert (mark.x[0], mark.y[0]) == (lowest["epoch"], lowest["training"])


def test_the_widest_range_of_the_groups_that_decide_comes_first(measured: list[MeasuredGroup]) -> None:
    names = [one.group.name for one in measured]
    assert sorted(names) == ["high", "odd", "right"]
    table = disagreements(measured, 3)
    assert table["range"].is_monotonic_decreasing
    assert table["range"][0] == 32
    assert set(disagreements([one for one in measured if one.group.name != "odd"], 2)["range"]) == {2.0}
    first_two = disagreements(measured, 2)
    assert first_two["range"].tolist() == sorted(
        (first_two[names[0]] - first_two[names[1]]).abs(), reverse=True
    )
    assert most_disagreed(measured, 3).data[0].y[-1] == table["video_id"][0]  # plotly draws from below
