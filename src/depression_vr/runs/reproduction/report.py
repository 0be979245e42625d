"""What a reproduction says, and leaves on disk."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from depression_vr.files import write_json
from depression_vr.runs.reproduction.conditions import Difference
from depression_vr.runs.reproduction.results import MAIN_METRICS, Comparison, Pair, Verdict
from depression_vr.runs.run import Run

_DIFFERENCES_SHOWN = 20
_CAUSES_NAMED = 3
_VIDEOS_SHOWN = 3


@dataclass(frozen=True)
class Report:
    """A reproduction.

    Attributes:
        recorded: the run that is reproduced.
        differences: what it was made with and this one is not.
        remarks: what else is to be said of what they are made with.
        tolerance: points of MAE and RMSE over videos.
        comparison: of the results, once there are any.
    """

    recorded: Run
    differences: Sequence[Difference]
    remarks: Sequence[str]
    tolerance: float
    comparison: Comparison | None = None

    @property
    def agrees(self) -> bool:
        """Whether the results do; where there are none, whether nothing differs from the record."""
        if self.comparison is None:
            return not self.differences
        return self.comparison.verdict is not Verdict.DIFFERENT

    def write(self, run: Run) -> None:
        """Write everything into the directory of the run that was trained again."""
        compared = None if self.comparison is None else asdict(self.comparison)
        content = {
            "of": str(self.recorded.folder),
            "differences": [asdict(difference) for difference in self.differences],
            "remarks": list(self.remarks),
            "tolerance": self.tolerance,
            "results": compared,
        }
        write_json(run.reproduction_file, content)

    def conditions(self) -> str:
        """What differs from the record, a line each."""
        count = len(self.differences)
        heading = {0: "nothing differs", 1: "1 thing differs"}.get(count, f"{count} things differ")
        told: list[str] = []
        for about, found in self._by_subject():
            told += map(str, found[:_DIFFERENCES_SHOWN])
            if len(found) > _DIFFERENCES_SHOWN:
                more = len(found) - _DIFFERENCES_SHOWN
                told.append(f"{about}: and {more} more, see reproduction.json")
        return _listed(f"{heading} from the record of {self.recorded.folder}", [*told, *self.remarks])

    def results(self, comparison: Comparison) -> str:
        """The verdict, the metrics, where the runs part, and what may explain it."""
        told = [f"{name}: {_numbers(comparison.metrics[name])}" for name in MAIN_METRICS]
        if comparison.parting is not None:
            told.append(f"first apart at {comparison.parting}")
        if comparison.videos:
            farthest = list(comparison.videos.items())[:_VIDEOS_SHOWN]
            some = "; ".join(f"{video} {_numbers(pair)}" for video, pair in farthest)
            told.append(f"{len(comparison.videos)} of {comparison.compared_videos} videos differ: {some}")
        if not comparison.is_identical:
            told.append(f"what differs from the record may explain it: {self._causes()}")
        tolerance = "" if comparison.is_identical else f" ({self.tolerance:g} points of MAE and RMSE)"
        return _listed(f"result: {comparison.verdict}{tolerance}", told)

    def _causes(self) -> str:
        causes = [
            " and ".join(f"{about} {each.name}" for each in found)
            if len(found) <= _CAUSES_NAMED
            else f"{about} ({len(found)} differences)"
            for about, found in self._by_subject()
        ]
        return ", ".join(causes) or "nothing does that was recorded"

    def _by_subject(self) -> list[tuple[str, list[Difference]]]:
        return [(about, list(found)) for about, found in groupby(self.differences, lambda each: each.about)]


def _listed(heading: str, lines: Iterable[str]) -> str:
    return "\n".join([heading, *(f"  {line}" for line in lines)])


def _numbers(pair: Pair) -> str:
    told = ["not defined" if value is None else f"{value:.4f}" for value in (pair.recorded, pair.here)]
    return f"{told[0]} recorded, {told[1]} here"
