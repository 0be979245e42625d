"""The command as a user types it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import RunCommand
from depression_vr.experiments.results import read_results, write_results
from depression_vr.runs.run import Run
from own_recipes import measurement, recipe_of, write_recipe, write_run

NAME = "experiments.__main__"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of experiments with one recipe, ``tiny``, of seeds 0 and 1."""
    folder = tmp_path / "own"
    write_recipe(folder, "tiny")
    return folder


@pytest.mark.slow
def test_what_is_missing_is_trained_and_a_failure_does_not_stop_the_rest(
    command: RunCommand, own: Path, csv_corpus: Path
) -> None:
    write_recipe(own, "broken", {"data": {"size": 0}}, title="broken", seeds=[0])
    tiny = recipe_of(own, "tiny")
    write_results(own / "results.csv", [measurement(tiny, 0, mae=1.0)])
    unfinished = Path("out/tiny/seed1")
    write_run(unfinished, tiny, 1, "running")
    (unfinished / "left.behind").touch()
    outcome = command(NAME, f"folder={own}", "out=out", f"overrides=['data.table={csv_corpus}']")
    assert outcome.code == 2
    assert "1 of 2 runs failed" in outcome.err
    assert "broken seed 0" in outcome.err
    assert "config key data" in outcome.err  # the last lines of what it printed
    assert "Traceback" not in outcome.err
    kept, measured = read_results(own / "results.csv")
    assert kept == measurement(tiny, 0, mae=1.0)
    run = Run(unfinished)
    assert (measured.recipe, measured.seed) == ("tiny", 1)
    assert measured.mae == run.metrics()["videos"]["mae"] == measured.mean_predictor_mae
    assert measured.fingerprint == run.record()["fingerprint"]
    assert not (unfinished / "left.behind").exists()
    table = (own / "README.md").read_text()
    assert "measured on different data" in table  # that of the row kept is made up
    assert measured.fingerprint in table
    assert "| broken | `experiment=broken` | none | not measured yet |" in table


@pytest.mark.slow
def test_ctrl_c_ends_the_training_and_keeps_what_is_finished(
    own: Path, csv_corpus: Path, tmp_path: Path
) -> None:
    write_recipe(own, "endless", {"trainer": {"max_epochs": 100_000}}, title="endless", seeds=[2])
    tiny = recipe_of(own, "tiny")
    for seed in (0, 1):  # they finished, and a kill kept their rows from being written
        write_run(tmp_path / "out" / "tiny" / f"seed{seed}", tiny, seed)
    arguments = (f"folder={own}", "out=out", f"overrides=['data.table={csv_corpus}']")
    run = Run(tmp_path / "out" / "endless" / "seed2")
    with subprocess.Popen(
        [sys.executable, "-m", "depression_vr.experiments", *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (run.checkpoints / "last.ckpt").exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert run.record()["status"] == "interrupted"
    assert [row.seed for row in read_results(own / "results.csv")] == [0, 1]
    assert "(2 seeds)" in (own / "README.md").read_text()


def test_a_second_call_repeats_nothing(command: RunCommand, own: Path) -> None:
    tiny = recipe_of(own, "tiny")
    write_results(own / "results.csv", [measurement(tiny, 0), measurement(tiny, 1)])
    before = (own / "results.csv").read_bytes()
    outcome = command(NAME, f"folder={own}")
    assert outcome.code == 0, outcome.err
    assert (own / "results.csv").read_bytes() == before
    assert not Path("outputs").exists()
    assert "4.00 ± 0.00" in (own / "README.md").read_text()


def test_the_table_alone_starts_no_training(command: RunCommand, own: Path) -> None:
    outcome = command(NAME, f"folder={own}", "run=false")
    assert outcome.code == 0, outcome.err
    assert "not measured yet" in (own / "README.md").read_text()
    assert not Path("outputs").exists()


def test_recipes_that_need_something_are_run_only_when_they_are_named(command: RunCommand, own: Path) -> None:
    write_recipe(own, "licensed", needs="the licensed corpus", seeds=[0])
    for name in ("tiny", "licensed"):
        write_run(Path("out") / name / "seed0", recipe_of(own, name), 0)
    settings = (f"folder={own}", "out=out", "seeds=0")
    assert command(NAME, *settings).code == 0
    assert [row.recipe for row in read_results(own / "results.csv")] == ["tiny"]
    assert command(NAME, *settings, "recipes=licensed").code == 0
    assert [row.recipe for row in read_results(own / "results.csv")] == ["licensed", "tiny"]


def test_a_damaged_results_file_is_refused_with_its_row(command: RunCommand, own: Path) -> None:
    file = own / "results.csv"
    write_results(file, [measurement(recipe_of(own, "tiny"), 0)])
    file.write_text(file.read_text().replace("4.0", "four"))
    outcome = command(NAME, f"folder={own}")
    assert outcome.code == 2
    assert f"{file}, row 2, column mae" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("argument", "mentioned"),
    [
        ("recipes=[nobody]", "use tiny"),
        ("recipes={a: 1}", "config key recipes"),
        ("seeds=[-1]", "config key seeds"),
        ("out=null", "config key out"),
        ("run=perhaps", "config key run"),
        ("overrides=['trainer.max_epochs=2']", "change the settings of tiny"),
        ("overrides=['nonsense=1']", "nonsense"),
    ],
)
def test_wrong_input_gets_one_error_and_exit_code_2(
    command: RunCommand, own: Path, argument: str, mentioned: str
) -> None:
    outcome = command(NAME, f"folder={own}", argument)
    assert outcome.code == 2
    assert mentioned in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "mentioned"),
    [(("out=file/x",), "config key out: "), (("folder=file",), "config key folder: ")],
)
def test_a_folder_that_cannot_be_made_gets_one_error_and_exit_code_2(
    command: RunCommand, own: Path, arguments: tuple[str, ...], mentioned: str
) -> None:
    Path("file").touch()
    outcome = command(NAME, f"folder={own}", *arguments)
    assert outcome.code == 2
    assert mentioned in outcome.err
    assert "Traceback" not in outcome.err
