"""Layers that stay in float32 under autocast."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from depression_vr.models.attention import AttentionVector
from depression_vr.models.baselines import R3D18
from depression_vr.models.float32 import Float32Linear, train_as_autocast_says, train_in_float32
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn


def half() -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def convolution() -> nn.Conv3d:
    torch.manual_seed(0)
    return nn.Conv3d(4, 8, 3, padding=1, groups=2).to(memory_format=torch.channels_last_3d)


def clips() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 4, 4, 5, 6, generator=generator).to(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_a_float32_linear_layer_is_exact_under_autocast(given: torch.dtype) -> None:
    layer, x = Float32Linear(6, 1), torch.randn(3, 6).to(given)
    with half():
        y = layer(x)
    torch.testing.assert_close(y, nn.functional.linear(x.float(), layer.weight, layer.bias), rtol=0, atol=0)


def test_a_float32_linear_layer_is_a_linear_layer_elsewhere() -> None:
    layer = Float32Linear(6, 1)
    assert layer.state_dict().keys() == nn.Linear(6, 1).state_dict().keys()
    assert layer.double()(torch.randn(3, 6, dtype=torch.float64)).dtype == torch.float64
    assert layer.to("meta")(torch.empty(3, 6, device="meta")).shape == (3, 1)


@pytest.mark.parametrize(
    "build", [lambda: StaDrn(base_planes=2), lambda: PlegdfFglscf(32, base_planes=2), R3D18]
)
def test_every_network_ends_in_float32(build: Callable[[], nn.Module]) -> None:
    *_, last = (module for module in build().modules() if isinstance(module, nn.Linear))
    assert isinstance(last, Float32Linear)
    with half():
        assert last(torch.randn(2, last.in_features)).dtype == torch.float32


@pytest.mark.parametrize("groups", [1, 2])
def test_attention_is_not_rounded_to_half_precision(groups: int) -> None:
    vector, features = AttentionVector(4, groups, (3, 4)), clips()
    with half():
        attention = vector(features)
    assert attention.dtype == torch.float32
    assert (attention != attention.bfloat16()).any()


def test_a_convolution_trains_in_float32_under_autocast() -> None:
    layer, x = convolution(), clips()
    plain = layer(x)
    gradient = torch.randn_like(plain)
    expected = torch.autograd.grad(plain, list(layer.parameters()), gradient)
    for _ in range(2):  # it does not matter how often
        train_in_float32(layer)
    with half():
        y = layer(x)
    torch.testing.assert_close(y, plain, rtol=0, atol=0)
    assert y.is_contiguous(memory_format=torch.channels_last_3d)
    gradients = torch.autograd.grad(y, list(layer.parameters()), gradient)
    torch.testing.assert_close(gradients, expected, rtol=0, atol=0)


def test_it_is_evaluated_as_autocast_says() -> None:
    layer, x = convolution(), clips()
    with half(), torch.no_grad():
        expected = layer(x)
        train_in_float32(layer)
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, expected, rtol=0, atol=0)


def test_it_takes_half_precision_from_the_layers_before() -> None:
    layer, x = convolution(), clips().bfloat16()
    expected = layer(x.float())
    train_in_float32(layer)
    with half():
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=0)


def test_it_can_be_undone_and_leaves_the_state_dict_alone() -> None:
    layer = convolution()
    keys = layer.state_dict().keys()
    train_in_float32(layer)
    assert layer.state_dict().keys() == keys
    for _ in range(2):
        train_as_autocast_says(layer)
    with half():
        assert layer(clips()).dtype == torch.bfloat16


def test_a_copy_has_weights_of_its_own_and_trains_in_float32_too() -> None:
    layer = convolution()
    train_in_float32(layer)
    copied = copy.deepcopy(layer)
    with torch.no_grad():
        layer.weight.zero_()
    with half():
        y = copied(clips())
    assert y.dtype == torch.float32
    assert y.std() > 0.1


def test_it_changes_nothing_without_autocast() -> None:
    layer = convolution().double()
    train_in_float32(layer)
    assert layer(clips().double()).dtype == torch.float64
