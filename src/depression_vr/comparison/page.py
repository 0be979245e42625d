"""The comparison as a page: one HTML file that asks for nothing from elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from depression_vr.comparison import cells
from depression_vr.comparison.figures.bands import errors_by_band
from depression_vr.comparison.figures.curves import learning_curves
from depression_vr.comparison.figures.disagreement import disagreements, most_disagreed
from depression_vr.comparison.figures.estimates import estimates_against_scores
from depression_vr.comparison.figures.style import looks
from depression_vr.comparison.measuring import VIDEOS, Comparison, MeasuredGroup
from depression_vr.files import write_text
from depression_vr.pages import templates
from depression_vr.runs.in_words import counted

_SHOWN_AT_FIRST = 4
_PAIRS_AT_FIRST = 15
_ROWS_OF_DISAGREEMENT = 30


@dataclass(frozen=True)
class _Plot:
    """A figure on the page."""

    title: str
    caption: str
    html: str


def write_page(file: Path, comparison: Comparison) -> None:
    """Write the page. The same comparison gives the same bytes."""
    environment = templates("depression_vr.comparison")
    numbers = count()
    page = environment.get_template("page.html.j2").render(
        comparison=comparison,
        cells=cells,
        summary=_summary(comparison),
        parts=_parts,
        shown_at_first=_SHOWN_AT_FIRST,
        pairs_at_first=_PAIRS_AT_FIRST,
        looks={corpus: looks(comparison.of(corpus)) for corpus in comparison.corpora},
        plots={corpus: list(_plots(comparison.of(corpus), numbers)) for corpus in comparison.corpora},
        disagreements={corpus: _disagreements(comparison.of(corpus)) for corpus in comparison.corpora},
        plotlyjs=get_plotlyjs(),
    )
    write_text(file, page)


def _summary(comparison: Comparison) -> str:
    runs = sum(len(measured.group.runs) for measured in comparison.groups)
    groups = counted(len(comparison.groups), "group")
    return f"{counted(runs, 'run')} in {groups}, tested on {' and '.join(comparison.corpora)}"


def _parts(measured: MeasuredGroup) -> list[str]:
    """What metrics are over besides videos."""
    return [over for over in measured.metrics if over != VIDEOS]


def _disagreements(groups: Sequence[MeasuredGroup]) -> cells.Cells | None:
    """Headings and rows of text; None where there is one group only."""
    if len(groups) < 2:
        return None
    table = disagreements(groups, _SHOWN_AT_FIRST)[:_ROWS_OF_DISAGREEMENT]
    headings = ("video", "task", "score", *table.columns[3:])
    rows = [
        (video, task, *(f"{points:.1f}" for points in numbers)) for video, task, *numbers in table.to_numpy()
    ]
    return [headings, *rows]


def _plots(groups: Sequence[MeasuredGroup], numbers: Iterator[int]) -> Iterator[_Plot]:
    def plot(title: str, caption: str, figure: go.Figure) -> _Plot:
        html = to_html(
            figure,
            include_plotlyjs=False,
            full_html=False,
            config={"displayModeBar": False, "responsive": True},
            div_id=f"plot-{next(numbers)}",
        )
        return _Plot(title, caption, html)

    yield plot(
        "Estimate against score",
        "A mark per test video, estimates averaged over seeds. On the broken line they are the score.",
        estimates_against_scores(groups),
    )
    if all(measured.group.is_bdi for measured in groups):
        yield plot(
            "Error by severity band",
            "Estimates averaged over seeds; above 0 they are too high. A box holds half of the videos; its "
            "line is the median.",
            errors_by_band(groups),
        )
    for partition in ("development", "training"):
        curves = learning_curves(groups, partition)
        if curves is not None:
            caption = (
                "Thin lines are runs, thick ones the mean of those of a group that have got so far. A mark: "
                "the lowest development MAE."
            )
            yield plot(f"Learning curves, {partition}", caption, curves)
    if len(groups) > 1:
        yield plot(
            "Videos that the groups disagree on",
            "Those with the widest range of estimates, averaged over seeds, among the groups that are shown "
            "at first; the grey stroke is the score.",
            most_disagreed(groups, _SHOWN_AT_FIRST),
        )
