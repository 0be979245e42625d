"""STA-DRN computes what the published network computes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from depression_vr.models.sta_drn import StaDrn
from depression_vr.models.weights import from_release

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"
VARIANTS = ("ta", "sa", "sta", "sta_fused")
TARGET = torch.tensor([0.2, 0.6, 0.1], dtype=torch.float64)


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    with np.load(FIXTURES / "sta_drn_tiny_input.npz") as content:
        return torch.from_numpy(content["input"].astype(np.float64))


def published(attention: str) -> tuple[StaDrn, dict[str, np.ndarray]]:
    """The tiny network with the published code's weights, and what that code computed."""
    with np.load(FIXTURES / f"sta_drn_{attention}_tiny.npz") as content:
        figures = dict(content)
    state = {
        key.removeprefix("state/"): torch.from_numpy(array)
        for key, array in figures.items()
        if key.startswith("state/")
    }
    network = StaDrn(attention, base_planes=2, layers=(1, 1, 1, 1))
    network.load_state_dict(from_release(state))
    return network, figures


@pytest.mark.parametrize("attention", VARIANTS)
def test_evaluation_output_is_the_published_one(attention: str, clips: torch.Tensor) -> None:
    network, figures = published(attention)
    with torch.no_grad():
        y = network.double().eval()(clips)
        y_single = network.float()(clips.float())
    np.testing.assert_allclose(y, figures["eval_output"][:, 0], rtol=1e-9)
    np.testing.assert_allclose(y_single, figures["eval_output"][:, 0], rtol=1e-5)


@pytest.mark.parametrize("attention", VARIANTS)
def test_training_output_loss_and_gradients_are_the_published_ones(
    attention: str, clips: torch.Tensor
) -> None:
    network, figures = published(attention)
    y = network.double().train()(clips)
    loss = (y - TARGET).square().mean()
    loss.backward()
    np.testing.assert_allclose(y.detach(), figures["train_output"][:, 0], rtol=1e-9)
    np.testing.assert_allclose(loss.item(), figures["train_loss"], rtol=1e-9)
    norms = from_release(
        {
            key.removeprefix("grad_norm/"): torch.from_numpy(array)
            for key, array in figures.items()
            if key.startswith("grad_norm/")
        }
    )
    parameters = dict(network.named_parameters())
    assert norms.keys() == parameters.keys()
    for name, norm in norms.items():
        if norm > 1e-9:  # a bias in front of a batch norm has no gradient
            gradient = parameters[name].grad
            assert gradient is not None
            torch.testing.assert_close(gradient.norm(), norm, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize(
    ("attention", "parameters"),
    [("ta", 6_600_385), ("sa", 6_600_385), ("sta", 7_822_785), ("sta_fused", 7_822_785)],
)
def test_has_the_published_number_of_parameters(attention: str, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in StaDrn(attention).parameters()) == parameters


@pytest.mark.parametrize("shape", [(1, 3, 5, 33, 47), (2, 3, 16, 64, 64)])
def test_takes_clips_of_any_length_and_size(shape: tuple[int, ...]) -> None:
    assert StaDrn(base_planes=2, layers=(1, 1, 1, 1)).eval()(torch.rand(shape)).shape == shape[:1]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_attention_over_groups_sums_to_one(groups: int) -> None:
    attention = StaDrn("ta", base_planes=8, layers=(1,), groups=groups).stages[0][0].attention.attention
    weights = attention(torch.randn(2, 8, 4, 6, 6))
    assert weights.shape == (2, 8, 4, 1, 1)
    if groups == 1:
        assert ((weights > 0) & (weights < 1)).all()
    else:
        over_groups = weights.unflatten(1, (groups, -1)).sum(1)
        torch.testing.assert_close(over_groups, torch.ones_like(over_groups))


@pytest.mark.parametrize(
    "settings",
    [
        {"attention": "global"},
        {"base_planes": 3, "groups": 2},
        {"groups": 0},
        {"layers": ()},
        {"layers": (1, 0)},
    ],
)
def test_refuses_settings_that_make_no_network(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        StaDrn(**settings)  # type: ignore[arg-type]
