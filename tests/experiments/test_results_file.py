"""The file of results: what is written is read again, and what is damaged is refused with its row."""

from multiprocessing import get_context
from pathlib import Path

import pytest

from depression_vr.errors import UserError
from depression_vr.experiments.recipes import Recipe
from depression_vr.experiments.results import COLUMNS, Measurement, add_result, read_results, write_results
from own_recipes import measurement, recipe_of, write_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_recipe(tmp_path, "tiny")
    return recipe_of(tmp_path, "tiny")


def test_rows_read_back_as_they_were_written(tmp_path: Path, recipe: Recipe) -> None:
    file = tmp_path / "results.csv"
    first = measurement(recipe, 0, mae=1 / 3)
    second = measurement(recipe, 1).model_copy(update={"ccc": None, "commit": None, "dirty": True})
    write_results(file, [second, first])
    assert read_results(file) == [first, second]


def test_a_file_that_is_absent_or_has_its_header_only_has_no_results(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    assert read_results(file) == []
    write_results(file, [])
    assert file.read_text() == ",".join(COLUMNS) + "\n"
    assert read_results(file) == []


def test_a_new_result_replaces_that_of_the_same_recipe_and_seed(tmp_path: Path, recipe: Recipe) -> None:
    file = tmp_path / "results.csv"
    for seed, mae in ((1, 4.0), (0, 3.0), (1, 2.0)):
        add_result(file, measurement(recipe, seed, mae))
    assert [(row.seed, row.mae) for row in read_results(file)] == [(0, 3.0), (1, 2.0)]


def add_twenty(file: Path, first: Measurement) -> None:
    for seed in range(first.seed, first.seed + 20):
        add_result(file, first.model_copy(update={"seed": seed}))


def test_processes_that_add_at_the_same_time_lose_no_result(tmp_path: Path, recipe: Recipe) -> None:
    file = tmp_path / "results.csv"
    processes = [
        get_context("fork").Process(target=add_twenty, args=(file, measurement(recipe, first)))
        for first in (0, 20, 40)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [row.seed for row in read_results(file)] == list(range(60))


@pytest.mark.parametrize(
    ("old", "new", "mentioned"),
    [
        ("tiny,1,4.0", "tiny,1,four", "row 3, column mae"),
        ("tiny,1,4.0", "tiny,1,nan", "row 3, column mae"),
        ("tiny,1,4.0", "tiny,1,", "row 3, column mae"),
        ("tiny,1,4.0", "tiny,1", "row 3: has 12 values for 13 columns"),
        ("tiny,1,", "tiny,0,", "row 3: tiny with seed 0 has a row above"),
        ("-dddddddd,", "-dd,", "row 2, column fingerprint"),
        ("recipe,seed,mae", "recipe,seed,MAE", "row 1: the columns are not"),
        ("tiny,1,4.0", 'tiny,1,"4.0', "row 3"),
    ],
)
def test_a_damaged_row_is_refused_with_file_and_row(
    tmp_path: Path, recipe: Recipe, old: str, new: str, mentioned: str
) -> None:
    file = tmp_path / "results.csv"
    write_results(file, [measurement(recipe, 0), measurement(recipe, 1)])
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        read_results(file)
    assert f"{file}, {mentioned}" in str(caught.value)
