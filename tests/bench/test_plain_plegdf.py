"""The baseline of PLEGDF-FGLSCF computes the same with nothing but PyTorch's own layers."""

import pytest
import torch
from torch import Tensor, nn

from depression_vr.bench.plain_plegdf import plain
from depression_vr.models.plegdf_fglscf import PlegdfFglscf


def trained(fusion: str) -> PlegdfFglscf:
    """In float64, as after some training: no parameter or running statistic has its first value."""
    torch.manual_seed(0)
    network = PlegdfFglscf((32, 64), fusion, base_planes=4, layers=(2, 1, 1, 1), reduction=2, dropout=0.0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, -1, 2)  # what is below 0 turns the largest into the smallest
            nn.init.uniform_(module.bias, -0.5, 1)
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network.double()


def views(frames: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(3, 3, frames, 32, 64, dtype=torch.float64, generator=generator) for _ in range(2)]


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("fusion", ["fglscf", "global_only", "local_only"])
@pytest.mark.parametrize("frames", [1, 5, 16])
def test_estimates_and_gradients_are_those_of_the_network(fusion: str, training: bool, frames: int) -> None:
    ours = trained(fusion).train(training)
    twin = plain(ours)
    ours = ours.to(memory_format=torch.channels_last_3d)
    as_trained = [view.contiguous(memory_format=torch.channels_last_3d) for view in views(frames)]
    expected, y = twin(*views(frames)), ours(*as_trained)
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)
    for each in (expected, y):
        (each * torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)).sum().backward()
    for name, parameter in twin.named_parameters():
        gradient = ours.get_parameter(name).grad
        limit = 1e-8 * max(1.0, parameter.grad.abs().max().item())
        torch.testing.assert_close(gradient, parameter.grad, rtol=0, atol=limit, msg=name)


def test_running_statistics_follow_alike() -> None:
    ours = trained("fglscf").train()
    twin = plain(ours)
    ours(*views(8)), twin(*views(8))
    expected = twin.state_dict()
    for name, value in ours.state_dict().items():
        if "projections" not in name:  # the baseline counts a quadrant three times in their variance
            torch.testing.assert_close(value, expected[name], rtol=1e-9, atol=1e-9, msg=name)


def test_the_twin_has_none_of_the_network_s_own_layers_and_shares_no_memory() -> None:
    ours = trained("fglscf")
    twin = plain(ours.to(memory_format=torch.channels_last_3d))
    assert {type(module) for module in twin.modules() if not list(module.children())} == {
        nn.Conv1d, nn.Conv3d, nn.BatchNorm1d, nn.BatchNorm3d, nn.ReLU, nn.MaxPool3d, nn.Identity, nn.Dropout,
        type(ours.head[-1]),
    }  # fmt: skip
    assert all(parameter.is_contiguous() for parameter in twin.parameters())
    assert not {each.data_ptr() for each in twin.parameters()} & {
        each.data_ptr() for each in ours.parameters()
    }
