"""Bring a report or a view of the workspace to the W&B server, in the place of an earlier one."""

from collections.abc import Iterator
from contextlib import contextmanager

import wandb
import wandb_workspaces.workspaces as ws
from pydantic import ValidationError
from wandb.apis.public import BetaReport
from wandb.sdk.lib.service.service_connection import WandbApiFailedError
from wandb_workspaces.reports.v2 import interface as wr

from depression_vr.errors import UserError, first_line
from depression_vr.loggers.wandb_reach import wandb_server


def default_entity() -> str:
    """The user or team that runs are logged to where nothing else is said.

    Raises:
        UserError: the server refuses to say it.
    """
    with _refusals_explained():
        entity: str | None = wandb.Api().default_entity
    if not entity:
        raise UserError(
            "this account has no default entity",
            where="config key entity",
            fix="name the user or team that the project is of with entity=NAME",
        )
    return entity


def publish(dashboard: wr.Report | ws.Workspace) -> str:
    """Save it, or replace the content of the one with its title; returns its address.

    Raises:
        UserError: there is no such project, or the server refuses it.
    """
    with _refusals_explained():
        if isinstance(dashboard, wr.Report):
            return _publish_report(dashboard)
        return _publish_workspace(dashboard)


def _publish_report(report: wr.Report) -> str:
    earlier = _earlier(report.project, report.entity, report.title, "runs")
    if earlier is not None:
        there = wr.Report.from_url(str(earlier.url))  # has the readers' comments
        there.blocks, there.width = report.blocks, report.width
        report = there
    return str(report.save().url)


def _publish_workspace(workspace: ws.Workspace) -> str:
    earlier = _earlier(workspace.project, workspace.entity, workspace.name, "project-view")
    if earlier is not None:
        workspace._internal_id, workspace._internal_name = earlier.id, str(earlier.name)
    workspace.save()  # type: ignore[no-untyped-call]
    return str(workspace.url)


def _earlier(project: str, entity: str, title: str, kind: str) -> BetaReport | None:
    """What the project has of this title: W&B's API lists views of the workspace as it does reports."""
    views = wandb.Api().reports(f"{entity}/{project}")
    views.variables["viewType"] = kind
    try:
        return next((view for view in views if view.display_name == title), None)
    except ValidationError:  # a ValueError too
        raise
    except ValueError as error:
        raise UserError(
            f"there is no W&B project {entity}/{project}",
            where=f"config keys project and entity, server {wandb_server().geturl()}",
            fix="correct them, or send its runs first: `python -m depression_vr.wandb_sync runs=outputs`",
        ) from error


@contextmanager
def _refusals_explained() -> Iterator[None]:
    try:
        yield
    except (wandb.Error, WandbApiFailedError, ValidationError) as error:  # or it answers as none should
        raise UserError(
            f"W&B has not taken it: {first_line(error)}",
            where=f"server {wandb_server().geturl()}",
            fix="see that the key is of this server (`wandb login --relogin`) and may write to the project",
        ) from error
