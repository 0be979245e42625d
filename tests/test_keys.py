"""Keys of a command's config: what a command gets of what a user wrote."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import PositiveInt, ValidationError
from pydantic.dataclasses import dataclass

from depression_vr.keys import APath, FrameRate, keys_of


@dataclass(frozen=True)
class Keys:
    folder: APath | None
    steps: PositiveInt
    levels: dict[str, list[float]]


def keys(text: str) -> Keys:
    return keys_of(OmegaConf.create(text), Keys)


def test_references_are_followed_and_other_keys_left_out() -> None:
    found = keys(
        "{folder: '${root}/a', steps: '${levels.b[1]}', levels: {b: [1, '${n}']}, root: r, n: 2, x: '???'}"
    )
    assert found == Keys(Path("r/a"), 2, {"b": [1, 2]})


@pytest.mark.parametrize(
    "missing", ["steps: '???', levels: {}", "steps: 1, levels: {b: '???'}", "steps: '${no}'"]
)
def test_a_key_that_has_no_value_is_named(missing: str) -> None:
    with pytest.raises(OmegaConfBaseException) as caught:
        keys(f"{{folder: null, {missing}}}")
    assert caught.value.full_key in ("steps", "levels.b")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("2014", "2014"),
        ("0.5", "0.5"),
        ("a/../b", "a/../b"),
        ("~/a", "/home/me/a"),
        ("~nosuchuser/a", "~nosuchuser/a"),
    ],
)
def test_paths_may_be_numbers_and_begin_at_home(
    given: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert keys(f"{{folder: {given}, steps: 1, levels: {{}}}}").folder == Path(path)


@pytest.mark.parametrize("given", ["[a]", "{a: b}", "true", "''"])
def test_what_names_no_path_is_refused(given: str) -> None:
    with pytest.raises(ValidationError) as caught:
        keys(f"{{folder: {given}, steps: 1, levels: {{}}}}")
    (error,) = caught.value.errors()
    assert error["loc"] == ("folder",)


@pytest.mark.parametrize("given", ["0", "-1", ".inf", ".nan", "fast"])
def test_a_frame_rate_is_a_finite_number_above_0(given: str) -> None:
    @dataclass(frozen=True)
    class Rate:
        fps: FrameRate | None

    assert keys_of(OmegaConf.create("{fps: 25}"), Rate).fps == 25
    with pytest.raises(ValidationError):
        keys_of(OmegaConf.create(f"{{fps: {given}}}"), Rate)
