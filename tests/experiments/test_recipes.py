"""Which recipes the table has, and what is refused of their blocks."""

from pathlib import Path

import pytest

from depression_vr.errors import UserError
from depression_vr.experiments.recipes import PROJECT, find_recipes
from own_recipes import CONFIG, write_recipe


def test_every_recipe_of_the_project_is_in_the_table() -> None:
    assert {recipe.file for recipe in find_recipes(PROJECT)} == {*(PROJECT / "experiment").glob("*.yaml")}


def test_every_recipe_that_needs_something_says_where_its_command_gets_it() -> None:
    for recipe in find_recipes(PROJECT):
        if recipe.corpus.startswith("AVEC"):
            assert recipe.needs is not None, recipe.name
        if recipe.needs is not None:
            assert "data.root=" in str(recipe.arguments), recipe.name


def test_recipes_come_by_corpus_then_by_name(tmp_path: Path) -> None:
    for name, corpus in {
        "d": "AVEC2013",
        "c": "synthetic",
        "b": "DAIC-WOZ",
        "a": "AVEC2014",
        "e": "AVEC2013",
    }.items():
        write_recipe(tmp_path, name, corpus=corpus)
    assert [recipe.name for recipe in find_recipes(tmp_path)] == ["d", "e", "a", "c", "b"]


def test_a_recipe_without_a_block_is_not_in_the_table(tmp_path: Path) -> None:
    write_recipe(tmp_path, "tiny")
    (tmp_path / "experiment" / "private.yaml").write_text(CONFIG)
    assert [recipe.name for recipe in find_recipes(tmp_path)] == ["tiny"]


def test_a_folder_without_recipes_has_those_of_the_project(tmp_path: Path) -> None:
    assert find_recipes(tmp_path) == find_recipes(PROJECT)


def test_a_recipe_named_as_one_of_the_projects_is_refused(tmp_path: Path) -> None:
    write_recipe(tmp_path, "mean_baseline_synthetic")
    with pytest.raises(UserError, match=r"experiment/mean_baseline_synthetic\.yaml: "):
        find_recipes(tmp_path)


@pytest.mark.parametrize(
    ("block", "mentioned"),
    [
        ({"seeds": []}, "recipe.seeds"),
        ({"seeds": [-1]}, "recipe.seeds.0"),
        ({"sedes": [1]}, "recipe.sedes"),
        ({"title": None}, "recipe.title"),
        ({"published": {"mae": 6.15, "rmse": 7.98}}, "recipe.published.source"),
        ({"corpus": ""}, "recipe.corpus"),
        ({"file": "elsewhere.yaml"}, "recipe.file"),
        ({"ablation_of": "nobody"}, "'nobody'"),
    ],
)
def test_a_wrong_block_is_refused_with_file_and_key(
    tmp_path: Path, block: dict[str, object], mentioned: str
) -> None:
    write_recipe(tmp_path, "tiny", **block)
    with pytest.raises(UserError) as caught:
        find_recipes(tmp_path)
    assert mentioned in str(caught.value)
    assert str(tmp_path / "experiment" / "tiny.yaml") in str(caught.value)


@pytest.mark.parametrize("block", ["hello", [1]])
def test_a_block_that_is_no_mapping_is_refused_with_its_file(tmp_path: Path, block: object) -> None:
    write_recipe(tmp_path, "tiny")
    file = tmp_path / "experiment" / "tiny.yaml"
    file.write_text(f"{CONFIG}\nrecipe: {block}\n")
    with pytest.raises(UserError, match="recipe: Input should be") as caught:
        find_recipes(tmp_path)
    assert str(file) in str(caught.value)


def test_a_recipe_that_does_not_compose_is_refused_with_its_file(tmp_path: Path) -> None:
    write_recipe(tmp_path, "tiny", {"defaults": [{"override /model": "nobody"}]})
    with pytest.raises(UserError, match="model/nobody") as caught:
        find_recipes(tmp_path)
    assert str(tmp_path / "experiment" / "tiny.yaml") in str(caught.value)


def test_an_unknown_name_is_refused_before_any_recipe_is_composed(tmp_path: Path) -> None:
    write_recipe(tmp_path, "tiny", {"defaults": [{"override /model": "nobody"}]})
    with pytest.raises(UserError, match="there is no recipe 'nope'") as caught:
        find_recipes(tmp_path, ["nope"])
    assert caught.value.fix == "use tiny"


def test_an_ablation_is_of_a_network_on_the_same_corpus(tmp_path: Path) -> None:
    write_recipe(tmp_path, "full", corpus="AVEC2013")
    write_recipe(tmp_path, "part", ablation_of="full")
    with pytest.raises(UserError, match="no recipe 'full' for synthetic"):
        find_recipes(tmp_path)
