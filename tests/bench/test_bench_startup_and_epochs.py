"""The rows about starting, about epochs and about compiling, measured small."""

import json
from pathlib import Path

import pytest
import torch

from conftest import RunCommand
from depression_vr.configs import compose

TINY = (
    "model=mean_baseline",
    "data=synthetic",
    "data.recordings={training: 2, development: 1, test: 1}",
    "data.frames=4",
    "data.batch_size=2",
    "data.num_workers=0",
)


def measured(outcome_of: RunCommand, *arguments: str) -> dict[str, dict[str, object]]:
    outcome = outcome_of("bench.__main__", "repetitions=1", *arguments)
    assert outcome.code == 0, outcome.err
    return {row["name"]: row for row in json.loads(Path("bench.json").read_text())["rows"]}


def test_epochs_of_three_lengths_are_compared(command: RunCommand) -> None:
    rows = measured(command, "rows=epochs", "benchmarks.epochs.clips=4", "benchmarks.epochs.batch_size=2")
    assert list(rows) == ["epochs 4x", "epochs 16x"]
    assert "epoch of 64," in str(rows["epochs 16x"]["measured"])
    assert "epoch of 4," in str(rows["epochs 16x"]["baseline_measured"])
    assert all(float(str(row["figure"])) > 0 for row in rows.values())


def test_all_rows_are_measured_but_those_of_compiling() -> None:
    config = compose("bench", [])
    assert sorted([*config.rows, "compile"]) == sorted(config.benchmarks)


@pytest.mark.slow
def test_compiling_is_measured(command: RunCommand) -> None:
    small = (
        "size=32",
        "clip_length=4",
        "batch_size=2",
        "base_planes=2",
        "layers=[1]",
        "precisions=[32-true]",
    )
    before = torch.compiler.config.force_disable_caches
    rows = measured(command, "rows=compile", *(f"benchmarks.compile.{setting}" for setting in small))
    assert list(rows) == ["compile first step 32-true", "compile step 32-true"]
    first, later = (float(str(row["figure"])) for row in rows.values())
    assert first > later > 0
    assert torch.compiler.config.force_disable_caches == before


@pytest.mark.slow
def test_a_start_is_measured_to_its_first_step(command: RunCommand) -> None:
    arguments = ",".join(f"'{argument}'" for argument in TINY)
    rows = measured(command, "rows=startup", f"benchmarks.startup.arguments=[{arguments}]")
    first, imports = (float(str(rows[f"startup {name}"]["figure"])) for name in ("first step", "imports"))
    assert first > imports > 0


@pytest.mark.slow
def test_a_start_that_fails_says_why(command: RunCommand) -> None:
    outcome = command("bench.__main__", "rows=startup", "benchmarks.startup.arguments=[data.batch_size=0]")
    assert outcome.code == 2
    assert "data.batch_size" in outcome.err
    assert "benchmarks.startup.arguments" in outcome.err
