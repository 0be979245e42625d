"""The dashboard as a W&B report: a page to read, a section for each corpus."""

from collections.abc import Sequence

from wandb_workspaces.reports.v2 import interface as wr

from depression_vr.experiments.recipes import Recipe
from depression_vr.wandb_project import panels
from depression_vr.wandb_project.published import HEADING, published_table

_NOTE = (
    "Written by `python -m depression_vr.wandb_dashboard`; written again, it is replaced. Bars and bands "
    "show mean and range over the seeds of a recipe: of runs that share network, settings and corpus, which "
    "the fingerprint in its name stands for. Research use only: an estimate is not a diagnosis."
)


def report_of(
    project: str, entity: str, title: str, corpora: Sequence[str], recipes: Sequence[Recipe]
) -> wr.Report:
    """The report, which is not saved yet.

    Args:
        project: W&B project of the runs.
        entity: user or team that the project is of.
        title: by which it is found again.
        corpora: a section each, by their names in a run's config.
        recipes: for the published numbers.
    """
    blocks: list[wr.BlockTypes] = [wr.P(_NOTE)]
    for corpus in corpora:
        blocks += _corpus(corpus, published_table(recipes, [corpus]))
    return wr.Report(project=project, entity=entity, title=title, blocks=blocks, width="fluid")


def _corpus(corpus: str, published: str) -> list[wr.BlockTypes]:
    variant = wr.Config(panels.VARIANT)
    table: list[wr.BlockTypes] = [wr.H2(HEADING), wr.MarkdownBlock(published)] if published else []
    return [
        wr.H1(corpus),
        wr.H2("Recipes over seeds"),
        _grid(corpus, panels.comparison(variant), is_grouped=True),
        *table,
        wr.H2("Learning curves"),
        _grid(corpus, panels.learning_curves(variant), is_grouped=True),
        wr.H2("Estimates of each run"),
        _grid(corpus, panels.results(), is_grouped=False),
        wr.H2("Speed, memory and precision"),
        _grid(corpus, panels.computing(variant), is_grouped=True),
    ]


def _grid(corpus: str, shown: list[wr.PanelTypes], *, is_grouped: bool) -> wr.PanelGrid:
    runs = wr.Runset(
        name=corpus,
        filters=f"Config('corpus') = '{corpus}' and {panels.TRAININGS}",
        groupby=[f"config.{panels.VARIANT}"] if is_grouped else [],
        pinned_columns=list(panels.COLUMNS),
    )
    return wr.PanelGrid(runsets=[runs], panels=shown)
