"""Make the dashboard of a W&B project, or write down what it would be."""

import errno
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import wandb_workspaces.workspaces as ws
from pydantic import Field
from pydantic.dataclasses import dataclass
from wandb_workspaces.reports.v2 import interface as wr

from depression_vr.errors import UserError
from depression_vr.experiments.recipes import PROJECT, find_recipes
from depression_vr.files import write_json
from depression_vr.keys import A_LIST, APath
from depression_vr.wandb_project.access import require_wandb
from depression_vr.wandb_project.publishing import default_entity, publish
from depression_vr.wandb_project.report import report_of
from depression_vr.wandb_project.workspace import workspace_of

_OTHERWISE = (
    "without W&B: `python -m depression_vr.compare runs=outputs` writes the comparison as a local page"
)


_Name = Annotated[str, Field(pattern=r"^[\w.-]+$")]


@dataclass(frozen=True)
class Wanted:
    """The keys of ``conf/wandb_dashboard.yaml``; a list of one may be without brackets."""

    project: Annotated[str, Field(min_length=1)]
    entity: str | None
    kind: Literal["report", "workspace"]
    title: Annotated[str, Field(min_length=1, max_length=128)]
    corpora: Annotated[list[_Name], Field(min_length=1), A_LIST]
    save: APath | None


def make_dashboard(wanted: Wanted) -> None:
    """Publish the dashboard and print its address, or write its specification to a file.

    Raises:
        UserError: there is no key, no server or no such project, or the file cannot be written.
    """
    entity = wanted.entity or ""
    if wanted.save is None:
        require_wandb(_OTHERWISE)
        entity = entity or default_entity()
    chosen = (wanted.project, entity, wanted.title, wanted.corpora, find_recipes(PROJECT))
    dashboard = report_of(*chosen) if wanted.kind == "report" else workspace_of(*chosen)
    if wanted.save is not None:
        _save(dashboard, wanted.save)
    else:
        print(publish(dashboard))


def _save(dashboard: wr.Report | ws.Workspace, file: Path) -> None:
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        write_json(file, _specification(dashboard))
    except OSError as error:
        raise UserError(
            f"the file cannot be written: {error.strerror}",
            where=f"config key save: {file}",
            fix="name a file in a folder that can be written, such as save=dashboard.json",
        ) from error
    print(f"written: {file}")


def _specification(dashboard: wr.Report | ws.Workspace) -> Any:
    """What W&B's server would get."""
    return json.loads(dashboard._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
