"""The rows about evaluation, on small clips; how fast anything is, is not tested."""

import json
from pathlib import Path

import pytest

from conftest import RunCommand

NETWORK = ("base_planes=2", "layers=[1,1]")


def rows(command: RunCommand, name: str, *settings: str) -> dict[str, dict[str, object]]:
    given = [f"benchmarks.{name}.{setting}" for setting in (*NETWORK, *settings)]
    outcome = command("bench.__main__", f"rows={name}", "repetitions=1", *given)
    assert outcome.code == 0, outcome.err
    return {row["name"]: row for row in json.loads(Path("bench.json").read_text())["rows"]}


@pytest.mark.slow  # for the machine's limits
def test_a_forward_pass_is_compared_in_both_precisions(command: RunCommand) -> None:
    measured = rows(command, "forward", "size=32", "clip_length=4")
    assert list(measured) == ["sta_drn forward float32", "sta_drn forward bf16"]
    baselines = {row["baseline"] for row in measured.values()}
    assert len(baselines) == 1
    assert [row["goal"] for row in measured.values()] == ["ratio at most 0.45", "ratio at most 0.28"]


@pytest.mark.slow
def test_windows_and_memory_of_an_evaluation_are_measured(command: RunCommand) -> None:
    sizes = ("size=32", "clip_length=4", "windows=3", "short=24", "long=72")
    measured = rows(command, "evaluation", *sizes)
    units = {
        "evaluation float32": "windows/s",
        "evaluation bf16": "windows/s",
        "evaluation memory, long video": "GB",
        "evaluation memory bf16": "GB",
        "evaluation memory float32": "GB",
    }
    assert {name: row["unit"] for name, row in measured.items()} == units
    assert all(row["figure"] > 0 for row in measured.values())  # type: ignore[operator]
