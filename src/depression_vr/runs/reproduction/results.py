"""How the results of two runs agree, and where their logged metrics first part."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from depression_vr.errors import UserError
from depression_vr.keys import with_dots
from depression_vr.runs.run import Run

_TIMES = ("throughput/", "ranks/", "DeviceStatsMonitor.")
"""What logged columns begin with that measure the machine, not the training."""
_IN_POINTS = ("videos.mae", "videos.rmse")
MAIN_METRICS = (*_IN_POINTS, "videos.ccc", "videos.pearson")


class Verdict(StrEnum):
    """What comes out of a reproduction."""

    IDENTICAL = "identical"
    WITHIN_TOLERANCE = "within tolerance"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Pair:
    """A value in both runs; None where there is none."""

    recorded: Any
    here: Any

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return bool(self.recorded != self.here)

    @property
    def distance(self) -> float:
        """Of two numbers; infinite where one is missing."""
        return float("inf") if None in (self.recorded, self.here) else abs(self.recorded - self.here)

    def __str__(self) -> str:
        told = ["nothing" if value is None else f"{value}" for value in (self.recorded, self.here)]
        return f"{told[0]} recorded, {told[1]} here"


@dataclass(frozen=True)
class Logged:
    """What a run has logged.

    Attributes:
        values: as they are written, by step and name, in the order of the file; not those that measure the
            machine.
        epochs: the epoch of a step.
    """

    values: Mapping[tuple[int, str], str]
    epochs: Mapping[int, int]


@dataclass(frozen=True)
class Results:
    """What came out of a run.

    Attributes:
        metrics: of the evaluated partition and everything else in ``metrics.json``, by its place there.
        videos: estimates in points, by video.
        logged: None where no CSV file was logged.
    """

    metrics: Mapping[str, Any]
    videos: Mapping[str, float | None]
    logged: Logged | None

    @classmethod
    def of(cls, run: Run) -> "Results":
        """Read them.

        Raises:
            UserError: they are damaged, or not there.
        """
        metrics = dict(with_dots(run.metrics()))
        if missing := [name for name in MAIN_METRICS if name not in metrics]:
            raise UserError(
                f"the metrics of the run have no {missing[0]}",
                where=str(run.metrics_file),
                fix="use another run",
            )
        predictions = run.predictions()
        estimates = [None if math.isnan(each) else each for each in predictions["estimate"]]
        videos = dict(zip(predictions["video_id"], estimates, strict=True))
        try:
            logged = _logged(run.curves_file) if run.curves_file.is_file() else None
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"the results of the run are damaged: {type(error).__name__}: {error}",
                where=str(run.folder),
                fix="use another run",
            ) from error
        return cls(metrics, videos, logged)


@dataclass(frozen=True)
class Parting:
    """The first logged value that is not the same."""

    epoch: int | None
    step: int
    metric: str
    values: Pair

    def __str__(self) -> str:
        epoch = "" if self.epoch is None else f"epoch {self.epoch}, "
        return f"{epoch}step {self.step}, {self.metric}: {self.values}"


@dataclass(frozen=True)
class Comparison:
    """The results of two runs, beside each other.

    Attributes:
        verdict: over all of them.
        metrics: MAE, RMSE, CCC and Pearson's r over videos, and whatever else of the metrics differs.
        videos: the estimates, in points, that differ; the farthest apart first.
        compared_videos: how many there are.
        compared_values: how many logged values there are.
        parting: where the logged values first part, if they do.
    """

    verdict: Verdict
    metrics: Mapping[str, Pair]
    videos: Mapping[str, Pair]
    compared_videos: int
    compared_values: int
    parting: Parting | None

    @property
    def is_identical(self) -> bool:
        """Whether nothing differs at all."""
        return self.verdict is Verdict.IDENTICAL


def compare_results(recorded: Results, here: Results, tolerance: float) -> Comparison:
    """Compare metrics, estimates and logged values.

    Args:
        recorded: of a finished run.
        here: of the same, trained again.
        tolerance: how many points MAE and RMSE over videos may differ.
    """
    metrics = _paired(*_with_the_same_parts(recorded.metrics, here.metrics))
    videos = _paired(recorded.videos, here.videos)
    apart = {name: pair for name, pair in videos.items() if pair.differs}
    values: dict[Any, Pair] = {}
    if recorded.logged is not None and here.logged is not None:
        values = _paired(recorded.logged.values, here.logged.values)
    first = min((key for key, pair in values.items() if pair.differs), key=lambda key: key[0], default=None)
    if first is None and not apart and not any(pair.differs for pair in metrics.values()):
        verdict = Verdict.IDENTICAL
    elif recorded.videos.keys() == here.videos.keys() and all(
        metrics[name].distance <= tolerance for name in _IN_POINTS
    ):
        verdict = Verdict.WITHIN_TOLERANCE
    else:
        verdict = Verdict.DIFFERENT
    return Comparison(
        verdict,
        metrics={name: pair for name, pair in metrics.items() if pair.differs or name in MAIN_METRICS},
        videos=dict(sorted(apart.items(), key=lambda video: -video[1].distance)),
        compared_videos=len(videos),
        compared_values=len(values),
        parting=None if first is None else _parting(first, values, recorded, here),
    )


def _parting(key: tuple[int, str], values: Mapping[Any, Pair], recorded: Results, here: Results) -> Parting:
    step, metric = key
    logged = [results.logged for results in (recorded, here) if results.logged is not None]
    epoch = next((each.epochs[step] for each in logged if step in each.epochs), None)
    return Parting(epoch, step, metric, values[key])


def _with_the_same_parts(*both: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The metrics of two runs without their intervals, where one is from before there were any."""
    if all(any(map(_of_intervals, metrics)) for metrics in both):
        return list(both)
    return [{name: metrics[name] for name in metrics if not _of_intervals(name)} for metrics in both]


def _of_intervals(name: str) -> bool:
    return name.startswith("intervals.")


def _paired(recorded: Mapping[Any, Any], here: Mapping[Any, Any]) -> dict[Any, Pair]:
    return {
        key: Pair(recorded.get(key), here.get(key)) for key in [*recorded, *(here.keys() - recorded.keys())]
    }


def _logged(file: Path) -> Logged:
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    values: dict[tuple[int, str], str] = {}
    epochs: dict[int, int] = {}
    for row in rows:
        step = int(row.pop("step"))
        if epoch := row.pop("epoch", ""):
            epochs.setdefault(step, int(epoch))
        for metric, value in row.items():
            if value and not metric.startswith(_TIMES):
                values[step, metric] = value
    return Logged(values, epochs)
