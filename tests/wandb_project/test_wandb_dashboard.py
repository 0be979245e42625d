"""The dashboard: what it shows of which runs, and that there is one of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import wandb

from conftest import RunCommand
from depression_vr.files import write_json
from depression_vr.loggers.wandb_privacy import SaltedIds
from depression_vr.loggers.wandb_tables import predictions_table, results_row
from depression_vr.runs.results import summary
from depression_vr.runs.run import Run
from depression_vr.wandb_project import panels
from project_server import ProjectServer
from reaching import logged_in

_PUBLISHED = "| STA-DRN, paper release on AVEC2014 | 6.00 | 7.75 | Pan et al. 2023 |"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectServer]:
    with logged_in(monkeypatch) as started:
        yield started


def grids(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [block["metadata"] for block in report["blocks"] if block["type"] == "panel-grid"]


def panels_of(grid: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel["config"] for panel in grid["panelBankSectionConfig"]["panels"]]


def saved(command: RunCommand, *arguments: str) -> dict[str, Any]:
    outcome = command("wandb_dashboard", "save=dashboard.json", *arguments)
    assert outcome.code == 0, outcome.err
    content: dict[str, Any] = json.loads(Path("dashboard.json").read_text())
    return content


def test_a_report_compares_recipes_over_seeds_on_each_corpus(command: RunCommand) -> None:
    report = saved(command, "corpora=[avec2014,mine]")
    shown = grids(report)
    assert len(shown) == 8
    for corpus, of_corpus in (("avec2014", shown[:4]), ("mine", shown[4:])):
        for grid in of_corpus:
            (runs,) = grid["runSets"]
            filters = {entry["key"]["name"]: entry["value"] for entry in runs["filters"]["filters"]}
            assert filters == {"corpus": corpus, "jobType": "training"}
    comparison, curves, _, computing = (panels_of(grid) for grid in shown[:4])
    assert [key["name"] for key in shown[0]["runSets"][0]["grouping"]] == ["variant.value"]
    assert [panel["metrics"] for panel in comparison[:4]] == [
        ["summary_metrics.test/mae"],
        ["summary_metrics.test/rmse"],
        ["summary_metrics.test/ccc"],
        ["summary_metrics.development/mae.min"],
    ]
    for panel in (*comparison, *curves[:2], *computing):
        grouping = {key: panel[key] for key in ("groupBy", "groupAgg", "groupArea")}
        assert grouping == {"groupBy": "variant.value", "groupAgg": "mean", "groupArea": "minmax"}
    assert [(panel["xAxis"], panel["metrics"]) for panel in curves[:2]] == [
        ("epoch", ["training/mae_epoch"]),
        ("epoch", ["development/mae"]),
    ]
    assert curves[2]["metricRegex"] == "^lr-.*"
    (table,) = [block["content"] for block in report["blocks"] if block["type"] == "markdown-block"]
    assert table.startswith("**Published, not measured here.**")
    assert _PUBLISHED in table
    assert "AVEC2013" not in table


@pytest.mark.slow
def test_a_workspace_groups_runs_by_corpus_and_recipe(command: RunCommand) -> None:
    section = saved(command, "kind=workspace", "corpora=[avec2014,synthetic]")["section"]
    (runs,) = section["runSets"]
    assert [key["name"] for key in runs["grouping"]] == ["corpus.value", "variant.value"]
    assert runs["filters"]["filters"][0]["value"] == ["avec2014", "synthetic"]
    sections = {part["name"]: part["panels"] for part in section["panelBankConfig"]["sections"]}
    bars = [panel["config"] for panel in sections["Recipes over seeds"]]
    assert bars[0]["metrics"] == ["summary_metrics.test/mae"]
    assert "groupBy" not in bars[0]  # as the table of runs is grouped: MAE of two corpora have no mean
    (published,) = sections["Published, not measured here"]
    assert _PUBLISHED in published["config"]["value"]


def test_its_charts_are_those_that_a_run_logs(tmp_path: Path) -> None:
    run = Run(tmp_path)
    videos = pd.DataFrame(
        {
            "video_id": ["a", "b", "c"],
            "partition": "test",
            "subject": ["1", "2", "3"],
            "task": "Freeform",
            "recording": ["1", "2", "3"],
            "label": [3, 25, 40],
            "estimate": [5.5, 18.0, 30.0],
        }
    )
    videos.to_csv(run.predictions_file, index=False)
    write_json(run.metrics_file, summary(videos, 63.0))
    run.curves_file.parent.mkdir()
    run.curves_file.write_text("epoch,training/mae_epoch,development/mae\n0,9.0,8.0\n1,7.0,7.5\n")
    row = results_row(run, predictions_table(run, SaltedIds.new(), share_ids=False))
    logged = {}
    for key, chart in row.items():
        if hasattr(chart, "spec"):
            chart.set_key(key)
            logged[chart.spec.table_key] = (chart.spec.spec_name, chart.spec.fields)
    *charts, table = panels.results()
    shown = {
        chart.query["summaryTable"]["tableKey"]: (chart.chart_name, chart.chart_fields) for chart in charts
    }
    assert shown == logged
    assert {table.table_name} == row.keys() - {key for key in row if hasattr(row[key], "spec")}


def test_without_a_key_it_points_to_the_local_page(
    command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    outcome = command("wandb_dashboard", "project=depression-vr")
    assert outcome.code == 2
    assert "wandb login" in outcome.err
    assert "python -m depression_vr.compare runs=outputs" in outcome.err


def test_a_corpus_is_a_name(command: RunCommand) -> None:
    outcome = command("wandb_dashboard", 'corpora=["a\' or 1"]', "save=dashboard.json")
    assert outcome.code == 2
    assert "config key corpora.0" in outcome.err
    assert not Path("dashboard.json").exists()


def test_no_corpus_is_refused(command: RunCommand) -> None:
    outcome = command("wandb_dashboard", "corpora=[]", "save=dashboard.json")
    assert (outcome.code, "config key corpora" in outcome.err) == (2, True)
    assert not Path("dashboard.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", [".", "videos.csv/dashboard.json"])
def test_a_file_that_cannot_be_written_is_named(command: RunCommand, tmp_path: Path, name: str) -> None:
    (tmp_path / "videos.csv").touch()
    outcome = command("wandb_dashboard", f"save={name}")
    assert outcome.code == 2
    assert f"config key save: {name}" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["report", "workspace"])
def test_made_again_it_replaces_the_first(command: RunCommand, server: ProjectServer, kind: str) -> None:
    addresses = []
    for corpus in ("avec2013", "avec2014"):
        outcome = command("wandb_dashboard", f"kind={kind}", f"corpora={corpus}")
        assert outcome.code == 0, outcome.err
        addresses.append(outcome.out.splitlines()[-1])
    assert addresses[0] == addresses[1]
    assert addresses[0].startswith(f"{server.url}/lab/depression-vr")
    (view,) = server.views.values()
    assert view["displayName"] == "Depression recognition from facial video"
    assert "summary_metrics.test/mae" in view["spec"]
    assert _PUBLISHED in view["spec"]
    assert '"avec2013"' not in view["spec"]
    outcome = command("wandb_dashboard", f"kind={kind}", "title=Another")
    assert outcome.code == 0, outcome.err
    assert [view["displayName"] for view in server.views.values()][1:] == ["Another"]
    wandb.teardown()  # W&B would report on itself now
    assert not [path for path in server.asked if path and "otel" in path]


@pytest.mark.slow
def test_a_project_that_is_not_there_is_not_made(command: RunCommand, server: ProjectServer) -> None:
    outcome = command("wandb_dashboard", "project=depresion-vr")
    assert outcome.code == 2
    assert "there is no W&B project lab/depresion-vr" in outcome.err
    assert not server.views


@pytest.mark.slow
def test_a_server_that_refuses_is_quoted(command: RunCommand, server: ProjectServer) -> None:
    server.behaviour = "refuses"
    outcome = command("wandb_dashboard")
    assert outcome.code == 2
    assert "W&B has not taken it: Failed to verify credentials" in outcome.err
