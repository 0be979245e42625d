"""Make the dashboard of a W&B project, or write down what it would be."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import wandb_workspaces.workspaces as ws
from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass
from wandb_workspaces.reports.v2 import interface as wr

from depression_vr.experiments.recipes import PROJECT, find_recipes
from depression_vr.files import write_json
from depression_vr.wandb_project.access import require_wandb
from depression_vr.wandb_project.publishing import default_entity, publish
from depression_vr.wandb_project.report import report_of
from depression_vr.wandb_project.workspace import workspace_of

_OTHERWISE = (
    "without W&B: `python -m depression_vr.compare runs=outputs` writes the comparison as a local page"
)


def _as_list(given: object) -> object:
    return given if isinstance(given, list) else [given]


@dataclass(frozen=True)
class Wanted:
    """The keys of ``conf/wandb_dashboard.yaml``; a list of one may be without brackets."""

    project: Annotated[str, Field(min_length=1)]
    entity: str | None
    kind: Literal["report", "workspace"]
    title: Annotated[str, Field(min_length=1, max_length=128)]
    corpora: Annotated[list[Annotated[str, Field(pattern=r"^[\w.-]+$")]], BeforeValidator(_as_list)]
    save: str | None


def make_dashboard(wanted: Wanted) -> None:
    """Publish the dashboard and print its address, or write its specification to a file.

    Raises:
        UserError: there is no key, no server or no such project.
    """
    entity = wanted.entity or ""
    if wanted.save is None:
        require_wandb(_OTHERWISE)
        entity = entity or default_entity()
    chosen = (wanted.project, entity, wanted.title, wanted.corpora, find_recipes(PROJECT))
    dashboard = report_of(*chosen) if wanted.kind == "report" else workspace_of(*chosen)
    if wanted.save is not None:
        file = Path(wanted.save).expanduser()
        write_json(file, _specification(dashboard))
        print(f"written: {file}")
    else:
        print(publish(dashboard))


def _specification(dashboard: wr.Report | ws.Workspace) -> Any:
    """What W&B's server would get."""
    return json.loads(dashboard._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
