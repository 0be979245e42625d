"""What a benchmark measures, declared as rows, and the figures that come of it."""

import logging
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Measure:
    """Something that can be measured again and again; rows that share one measure it once a repetition.

    Attributes:
        what: is measured, in a few words, with its conditions.
        unit: of the figure, such as ``frames/s``.
        run: does it once and returns the figure.
        repeated: False for what gives the same figure each time.
    """

    what: str
    unit: str
    run: Callable[[], float]
    repeated: bool = True


@dataclass(frozen=True)
class Goal:
    """What a row should reach.

    Attributes:
        of: the ratio to the baseline, or the figure itself.
        least: it should not be less.
        most: it should not be more.
    """

    of: Literal["ratio", "figure"]
    least: float = -math.inf
    most: float = math.inf

    def __str__(self) -> str:
        limits = {"at least": self.least, "at most": self.most}
        said = [f"{words} {limit:g}" for words, limit in limits.items() if math.isfinite(limit)]
        return f"{self.of} {' and '.join(said)}"


@dataclass(frozen=True)
class Bound:
    """What a figure would be if only one kind of work took time, and that went as fast as the machine can.

    Attributes:
        limit: measures how much of that work the machine does in a second; those of this machine are in
            `bench.limits`.
        work: how much of it is needed for what a figure counts, or for what it gives the seconds of.
    """

    limit: Measure
    work: float


@dataclass(frozen=True)
class Row:
    """One line of the table before it is measured.

    Attributes:
        name: such as ``preprocess dlib 480p``; no other row has it.
        ours: the project's own work.
        baseline: what it is compared with, in the same unit.
        goal: what should be reached.
        bound: what the machine allows; for a figure in ``s`` or in something per second (``clips/s``).
    """

    name: str
    ours: Measure
    baseline: Measure | None = None
    goal: Goal | None = None
    bound: Bound | None = None

    def __post_init__(self) -> None:
        if self.bound is not None and self.ours.unit != "s" and not self.ours.unit.endswith("/s"):
            raise ValueError(f"{self.name}: {self.ours.unit} is no time and no rate, and has no bound")

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All that it takes to fill the row."""
        bound = None if self.bound is None else self.bound.limit
        return tuple(each for each in (self.ours, self.baseline, bound) if each is not None)


class Benchmark(Protocol):
    """Some rows about one subject; ``benchmarks`` in conf/bench.yaml names all benchmarks."""

    def rows(self, folder: Path) -> Sequence[Row]:
        """Make what is measured ready.

        Args:
            folder: empty; for files, until the rows are measured.

        Raises:
            UserError: something that is measured is not installed.
        """


@dataclass(frozen=True)
class Result:
    """A measured row.

    Attributes:
        row: the row.
        figures: ours, one a repetition.
        baselines: the baseline's; empty where there is none.
        limits: the bound's limit; empty where there is none.
    """

    row: Row
    figures: tuple[float, ...]
    baselines: tuple[float, ...] = ()
    limits: tuple[float, ...] = ()

    @property
    def figure(self) -> float:
        """The median of ours."""
        return statistics.median(self.figures)

    @property
    def baseline(self) -> float | None:
        """The median of the baseline's figures."""
        return statistics.median(self.baselines) if self.baselines else None

    @property
    def ratio(self) -> float | None:
        """Our median, divided by the baseline's."""
        return self.figure / self.baseline if self.baseline else None

    @property
    def share_of_bound(self) -> float | None:
        """How much of what the machine allows is reached, 0..1 but for what the bound leaves out."""
        if self.row.bound is None:
            return None
        least_seconds = self.row.bound.work / statistics.median(self.limits)
        return least_seconds / self.figure if self.row.ours.unit == "s" else least_seconds * self.figure

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        goal = self.row.goal
        if goal is None:
            return None
        value = self.ratio if goal.of == "ratio" else self.figure
        return value is not None and goal.least <= value <= goal.most

    def as_dict(self) -> dict[str, Any]:
        """Everything about it, as JSON takes it."""
        baseline, bound = self.row.baseline, self.row.bound
        return {
            "name": self.row.name,
            "measured": self.row.ours.what,
            "unit": self.row.ours.unit,
            "figure": self.figure,
            "figures": self.figures,
            "baseline_measured": baseline.what if baseline else None,
            "baseline": self.baseline,
            "baselines": self.baselines,
            "ratio": self.ratio,
            "limit_measured": bound.limit.what if bound else None,
            "limits": self.limits,
            "work": bound.work if bound else None,
            "share_of_bound": self.share_of_bound,
            "goal": str(self.row.goal) if self.row.goal else None,
            "met": self.met,
        }


def measure(rows: Sequence[Row], repetitions: int) -> list[Result]:
    """Measure everything once, then again, and so on, so that a slow minute of the machine hits all alike.

    OpenCV works with one thread meanwhile, as it does in our worker processes.
    """
    measures = dict.fromkeys(each for row in rows for each in row.measures)
    figures: dict[Measure, list[float]] = {each: [] for each in measures}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for repetition in range(repetitions):
            for each in measures:
                if each.repeated or repetition == 0:
                    figures[each].append(each.run())
                    turn = f"{repetition + 1} of {repetitions}" if each.repeated else "once"
                    log.info("%s: %.4g %s (%s)", each.what, figures[each][-1], each.unit, turn)
    finally:
        cv2.setNumThreads(threads)

    def of(measured: Measure | None) -> tuple[float, ...]:
        return () if measured is None else tuple(figures[measured])

    return [
        Result(row, of(row.ours), of(row.baseline), of(None if row.bound is None else row.bound.limit))
        for row in rows
    ]


def by(shape: Sequence[int]) -> str:
    """Such as 4x3x16x128x128."""
    return "x".join(map(str, shape))


def per_second(work: Callable[[], int]) -> float:
    """How much is done in a second by work that returns how much it has done."""
    if hasattr(os, "sync"):
        os.sync()  # or work that waits for the disk would wait for what others have written before
    began = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - began)
