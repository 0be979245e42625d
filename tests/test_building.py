"""What configs may build, and what is said of the rest."""

import pytest

from depression_vr.building import TARGETS_VARIABLE, build
from depression_vr.errors import UserError


def test_a_package_that_is_not_trusted_is_refused_with_what_allows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = {"_target_": "collections.Counter"}
    monkeypatch.delenv(TARGETS_VARIABLE, raising=False)
    with pytest.raises(UserError) as refused:
        build(counter)
    assert f"{TARGETS_VARIABLE}='collections.*'" in refused.value.fix
    monkeypatch.setenv(TARGETS_VARIABLE, "collections.*")
    assert build(counter) == {}


@pytest.mark.parametrize(
    ("target", "missing"),
    [("nosuchlab.networks.Mine", "'nosuchlab'"), ("torch.nn.Nosuch", "'torch.nn.Nosuch'")],
)
def test_what_cannot_be_found_is_named(monkeypatch: pytest.MonkeyPatch, target: str, missing: str) -> None:
    monkeypatch.setenv(TARGETS_VARIABLE, "nosuchlab.*")
    with pytest.raises(UserError, match=f"No module named {missing}") as refused:
        build({"part": {"_target_": target}})
    assert refused.value.where == "config key part"
    assert "PYTHONPATH" in refused.value.fix
