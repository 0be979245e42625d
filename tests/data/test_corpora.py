"""Corpora as configs name them."""

from typing import Any

import pytest

from depression_vr.building import build
from depression_vr.data.avec import Avec2014
from depression_vr.errors import UserError

AVEC2014 = {"corpus": "avec2014", "root": "corpus", "image_root": None, "tasks": ["Freeform", "Northwind"]}
CSV = {
    "corpus": "csv", "table": "a.csv", "image_root": None, "maximum": 63, "partition_by_position": None,
}  # fmt: skip


def built(settings: dict[str, Any], **changed: Any) -> Any:
    node = {"_target_": "depression_vr.data.corpora.named_corpus", **settings, **changed}
    return build({"data": node})["data"]


def test_a_list_of_one_task_may_be_without_brackets() -> None:
    corpus = built(AVEC2014, tasks="northwind")
    assert isinstance(corpus, Avec2014)
    assert corpus.tasks == ("Northwind",)


@pytest.mark.parametrize(
    ("settings", "changed", "key"),
    [
        (AVEC2014, {"tasks": None}, "data.tasks"),
        (AVEC2014, {"tasks": [3]}, "data.tasks.0"),
        *((CSV, {"maximum": maximum}, "data.maximum") for maximum in (0, -3, "nan", "inf", "high", None)),
        *(
            (CSV, {"partition_by_position": counts}, "data.partition_by_position")
            for counts in ([1, 1], [1, 1, 1, 1], 3, "111")
        ),
        (CSV, {"partition_by_position": [2, 2, -1]}, "data.partition_by_position.2"),
    ],
)
def test_wrong_settings_are_refused_with_their_key(
    settings: dict[str, Any], changed: dict[str, Any], key: str
) -> None:
    with pytest.raises(UserError) as caught:
        built(settings, **changed)
    assert [problem.where for problem in caught.value.problems] == [f"config key {key}"]


def test_settings_that_have_no_place_in_a_config_are_refused_by_their_own_names() -> None:
    with pytest.raises(UserError) as caught:
        build({"_target_": "depression_vr.data.corpora.named_corpus", **CSV, "maximum": 0})
    assert [problem.where for problem in caught.value.problems] == ["config key maximum"]
