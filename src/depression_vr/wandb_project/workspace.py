"""The dashboard as a saved view of the project's workspace: the same panels, to filter and group by hand."""

from collections.abc import Sequence

import wandb_workspaces.workspaces as ws
from wandb_workspaces.reports.v2 import interface as wr

from depression_vr.experiments.recipes import Recipe
from depression_vr.wandb_project import panels
from depression_vr.wandb_project.published import HEADING, published_table


def workspace_of(
    project: str, entity: str, title: str, corpora: Sequence[str], recipes: Sequence[Recipe]
) -> ws.Workspace:
    """The view, which is not saved yet. Its runs are grouped by corpus and recipe, which only seeds share.

    Args:
        project: W&B project of the runs.
        entity: user or team that the project is of.
        title: of the view.
        corpora: runs on others are left out; names as in a run's config.
        recipes: for the published numbers.
    """
    published = published_table(recipes, corpora)
    sections: dict[str, list[wr.PanelTypes]] = {
        "Recipes over seeds": panels.comparison(None),
        **({HEADING: [wr.MarkdownPanel(published, layout=wr.Layout(w=24, h=8))]} if published else {}),
        "Learning curves": panels.learning_curves(None),
        "Estimates of each run": panels.results(),
        "Speed, memory and precision": panels.computing(None),
    }
    names = ", ".join(f"'{corpus}'" for corpus in corpora)
    return ws.Workspace(
        entity=entity,
        project=project,
        name=title,
        sections=[ws.Section(name, panels=shown, is_open=True) for name, shown in sections.items()],
        runset_settings=ws.RunsetSettings(
            filters=f"Config('corpus') in [{names}] and {panels.TRAININGS}",
            groupby=[ws.Config("corpus"), ws.Config(panels.VARIANT)],
            pinned_columns=list(panels.COLUMNS),
        ),
    )
