"""The generated tables: what they say of published, measured, stale and missing results."""

from pathlib import Path

import pytest

from depression_vr.errors import UserError
from depression_vr.experiments.recipes import PROJECT, find_recipes
from depression_vr.experiments.results import read_results
from depression_vr.experiments.table import BEGIN, END, tables, with_tables, write_table
from own_recipes import DATASET, measurement, recipe_of, write_recipe


def cells(markdown: str, title: str) -> list[str]:
    """The cells of the row of a title."""
    rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.splitlines())
    return next(row for row in rows if row[0] == title)


def test_the_readmes_tables_are_those_of_the_recipes_and_results() -> None:
    readme = PROJECT / "README.md"
    text = readme.read_text(encoding="utf-8")
    generated = tables(find_recipes(PROJECT), read_results(PROJECT / "results.csv"))
    assert text == with_tables(text, generated, readme), "run `python -m depression_vr.experiments run=false`"


def test_two_seeds_give_mean_and_sample_deviation(tmp_path: Path) -> None:
    write_recipe(tmp_path, "tiny")
    recipe = recipe_of(tmp_path, "tiny")
    rows = [measurement(recipe, 0, mae=3.0, rmse=4.0), measurement(recipe, 1, mae=5.0, rmse=4.5)]
    # deviations 1 and 1 over n - 1 = 1: sqrt(2) = 1.41; 0.25 and 0.25: sqrt(0.125) = 0.35
    assert cells(tables([recipe], rows), "tiny") == [
        "tiny",
        "`experiment=tiny`",
        "none",
        "4.00 ± 1.41 / 4.25 ± 0.35 (2 seeds)",
        f"`{recipe.settings}-dddddddd`",
    ]


def test_a_single_seed_has_no_deviation_and_seeds_that_are_missing_are_counted(tmp_path: Path) -> None:
    write_recipe(tmp_path, "tiny")
    write_recipe(tmp_path, "single", title="single", seeds=[7])
    tiny, single = recipe_of(tmp_path, "tiny"), recipe_of(tmp_path, "single")
    rows = [measurement(tiny, 1), measurement(tiny, 5), measurement(single, 7)]
    markdown = tables(find_recipes(tmp_path), rows)
    assert cells(markdown, "tiny")[3] == "4.00 / 5.00 (1 of 2 seeds)"
    assert cells(markdown, "single")[3] == "4.00 / 5.00 (1 seed)"


def test_what_is_published_and_what_is_needed_is_said(tmp_path: Path) -> None:
    published = {"mae": 6.15, "rmse": 7.9, "source": "Pan et al. 2023"}
    write_recipe(
        tmp_path,
        "a",
        title="a",
        corpus="AVEC2013",
        published=published,
        needs="the licensed corpus",
        arguments="data.root=... data.image_root=...",
    )
    write_recipe(tmp_path, "b", title="b")
    markdown = tables(find_recipes(tmp_path), [])
    assert markdown.index("## AVEC2013") < markdown.index("## Synthetic")
    assert cells(markdown, "a")[1:4] == [
        "`experiment=a data.root=... data.image_root=...`",
        "6.15 / 7.90 (Pan et al. 2023)",
        "not measured: needs the licensed corpus",
    ]
    assert cells(markdown, "b")[3] == "not measured yet"


def test_a_changed_setting_takes_the_result_out_of_the_table(tmp_path: Path) -> None:
    write_recipe(tmp_path, "tiny")
    before = recipe_of(tmp_path, "tiny")
    rows = [measurement(before, 0), measurement(before, 1)]
    write_recipe(tmp_path, "tiny", {"trainer": {"max_epochs": 2}})
    after = recipe_of(tmp_path, "tiny")
    assert cells(tables([after], rows), "tiny")[3:] == [
        "not measured with these settings",
        f"`{after.settings}`",
    ]
    assert (
        cells(tables([after], [*rows[1:], measurement(after, 0)]), "tiny")[3] == "4.00 / 5.00 (1 of 2 seeds)"
    )


def test_results_on_different_data_are_not_averaged(tmp_path: Path) -> None:
    write_recipe(tmp_path, "tiny")
    recipe = recipe_of(tmp_path, "tiny")
    rows = [measurement(recipe, 0), measurement(recipe, 1, dataset="e" * 64)]
    assert cells(tables([recipe], rows), "tiny")[3:] == [
        "measured on different data",
        f"`{recipe.settings}-dddddddd`, `{recipe.settings}-eeeeeeee`",
    ]


def ablation_tables(
    tmp_path: Path,
    part: tuple[float, ...],
    full: tuple[float, ...],
    seeds: tuple[int, ...] = (0, 1),
    dataset: str = DATASET,
) -> str:
    """Of a network with seeds 0, 1 and one of its parts with these seeds and data, with these MAEs."""
    write_recipe(tmp_path, "full", title="The network")
    write_recipe(tmp_path, "part", title="Half of it", ablation_of="full", seeds=list(seeds))
    rows = [
        measurement(recipe_of(tmp_path, name), seed, mae, dataset=dataset if name == "part" else DATASET)
        for name, maes in (("part", part), ("full", full))
        for seed, mae in enumerate(maes)
    ]
    return tables(find_recipes(tmp_path), rows)


def test_an_ablation_that_is_ahead_is_named(tmp_path: Path) -> None:
    markdown = ablation_tables(tmp_path, part=(3.0, 4.0), full=(3.5, 4.5))
    assert markdown.endswith(
        "\n\nOn the synthetic corpus Half of it (MAE 3.50 ± 0.71) is ahead of The network (MAE 4.00 ± 0.71) "
        "over seeds 0, 1."
    )


def test_an_ablation_is_compared_over_the_seeds_that_both_have(tmp_path: Path) -> None:
    ahead = ablation_tables(tmp_path, part=(3.0,), full=(3.5, 2.0), seeds=(0,))
    assert ahead.endswith("Half of it (MAE 3.00) is ahead of The network (MAE 3.50) over seed 0.")
    behind = ablation_tables(tmp_path, part=(3.0,), full=(2.5, 4.5), seeds=(0,))
    assert behind.endswith("no ablation is ahead of its full network over seed 0.")


def test_nothing_is_said_of_an_ablation_that_was_measured_on_other_data(tmp_path: Path) -> None:
    assert "ahead" not in ablation_tables(tmp_path, part=(3.0, 4.0), full=(3.5, 4.5), dataset="e" * 64)


def test_it_is_said_that_no_ablation_is_ahead(tmp_path: Path) -> None:
    markdown = ablation_tables(tmp_path, part=(4.0, 4.0), full=(3.5, 4.5))
    assert markdown.endswith(
        "\n\nOn the synthetic corpus no ablation is ahead of its full network over seeds 0, 1."
    )


def test_nothing_is_said_of_ablations_before_all_seeds_are_measured(tmp_path: Path) -> None:
    assert "ahead" not in ablation_tables(tmp_path, part=(3.0,), full=(3.5, 4.5))


def test_what_a_person_wrote_around_the_tables_stays(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# Ours\n\nWhy.\n\n{BEGIN}\nold\n{END}\n\nWhat next.\n")
    for generated in ("longer than before", "new"):
        write_table(readme, generated)
    assert readme.read_text() == f"# Ours\n\nWhy.\n\n{BEGIN}\n\nnew\n\n{END}\n\nWhat next.\n"


@pytest.mark.parametrize("text", ["# Ours\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_readme_without_the_marks_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(UserError, match="marks"):
        write_table(readme, "new")
    assert readme.read_text() == text


def test_a_readme_that_is_not_utf_8_is_refused_and_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes(f"# \xdcbersicht\n{BEGIN}\n{END}\n".encode("latin-1"))
    before = readme.read_bytes()
    with pytest.raises(UserError, match="UTF-8") as caught:
        write_table(readme, "new")
    assert caught.value.where == str(readme)
    assert readme.read_bytes() == before
