"""Plain grids: every run has its turn, and the same command goes on."""

from pathlib import Path

import pytest

from conftest import RunCommand
from depression_vr.runs.run import Run
from studies import TINY

GRID = ("-m", *TINY, "hydra.sweep.dir=grid", "resume=auto")


def runs() -> dict[str, Run]:
    return {path.name.partition("_")[0]: Run(path) for path in Path("grid").iterdir() if path.is_dir()}


def test_a_failing_run_does_not_end_the_others_and_the_grid_goes_on(
    command: RunCommand, csv_corpus: Path
) -> None:
    grid = (*GRID, f"data.table={csv_corpus}", "model.groups=3,2")
    outcome = command("train", *grid)
    assert outcome.code == 2
    assert "1 of 2 runs have failed:" in outcome.err
    assert f"{Path.cwd() / 'grid'}/0_" in outcome.err
    assert "resume=auto" in outcome.err
    assert "Traceback" not in outcome.err
    assert {number: run.record()["status"] for number, run in runs().items()} == {
        "0": "failed",
        "1": "finished",
    }
    assert outcome.out.rpartition("2 runs\n")[2].count("finished") == 1

    ended = runs()["1"].record()["ended"]
    again = command("train", *grid)
    assert again.code == 2
    assert runs()["1"].record()["ended"] == ended
    assert len(runs()) == 2

    other = command("train", *grid[:-1], "seed=1", "model.groups=2")  # not that of before, which has failed
    assert other.code == 0, other.err
    assert "failed" in other.out


def test_a_bug_shows_in_the_exit_code(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("depression_vr.models.sta_drn.StaDrn.forward", broken)
    outcome = command("train", *GRID, f"data.table={csv_corpus}", "seed=0,1")
    assert outcome.code == 1
    assert "RuntimeError: a bug" in outcome.err
    assert all("Traceback" in (run.folder / "train.log").read_text() for run in runs().values())
    assert len(runs()) == 2


def test_a_grid_of_wrong_keys_is_refused_at_once(command: RunCommand, csv_corpus: Path) -> None:
    outcome = command("train", *GRID, f"data.table={csv_corpus}", "model.nosuch=1,2")
    assert outcome.code == 2
    assert "nosuch" in outcome.err
    assert "Traceback" not in outcome.err
    assert not runs()


def test_what_is_no_seed_leaves_no_record(command: RunCommand, csv_corpus: Path) -> None:
    outcome = command("train", *GRID, f"data.table={csv_corpus}", "seed=0,x,-1")
    assert outcome.code == 2
    assert "2 of 3 runs have failed:" in outcome.err
    assert "'x' is no seed" in outcome.err
    assert "-1 is no seed" in outcome.err
    assert [run.record()["status"] for run in runs().values() if run.record_file.exists()] == ["finished"]
    assert "damaged" not in outcome.out
