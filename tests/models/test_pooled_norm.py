"""Batch norm, ReLU and max pooling in one step, beside the three layers."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from depression_vr.distributed.batch_norm import BatchNormOverProcesses
from depression_vr.models.pooled_norm import norm_relu_pool

LAYOUTS = [torch.contiguous_format, torch.channels_last_3d]


def layers(stride: tuple[int, int, int] = (1, 2, 2)) -> tuple[nn.BatchNorm3d, nn.MaxPool3d]:
    norm = nn.BatchNorm3d(4, momentum=0.3).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -0.7, 0.3, -2.0]))
        norm.bias.copy_(torch.tensor([0.1, 0.5, -0.3, 0.2]))
    return norm, nn.MaxPool3d(3, stride, 1)


def some_map(*size: int, layout: torch.memory_format = torch.contiguous_format) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(size, generator=generator).double() + 0.4).contiguous(memory_format=layout)


def gradients(output: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    cotangent = torch.randn(output.shape, generator=generator).to(output.dtype)
    return torch.autograd.grad(output, leaves, cotangent)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [(1, 2, 2), (2, 2, 2), (1, 1, 1)])
@pytest.mark.parametrize("size", [(1, 4, 5, 9, 8), (3, 4, 2, 7, 10), (2, 4, 1, 1, 3)])
def test_it_is_what_the_layers_are(
    size: tuple[int, ...], stride: tuple[int, int, int], layout: torch.memory_format
) -> None:
    norm, pool = layers(stride)
    plain = copy.deepcopy(norm)
    x = some_map(*size, layout=layout).requires_grad_()
    expected, z = pool(plain(x).relu()), norm_relu_pool(x, norm, pool)
    torch.testing.assert_close(z, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        gradients(z, x, *norm.parameters()), gradients(expected, x, *plain.parameters()), rtol=0, atol=1e-9
    )
    for name, buffer in norm.named_buffers():
        torch.testing.assert_close(buffer, plain.get_buffer(name), rtol=0, atol=1e-12)


def test_a_weight_of_zero_passes_nothing_on() -> None:
    norm, pool = layers()
    with torch.no_grad():
        norm.weight.zero_()
    x = some_map(2, 4, 3, 6, 6).requires_grad_()
    z = norm_relu_pool(x, norm, pool)
    torch.testing.assert_close(z, norm.bias.relu().view(4, 1, 1, 1).expand_as(z), rtol=0, atol=0)
    of_x, of_weight, of_bias = gradients(z, x, norm.weight, norm.bias)
    assert not of_x.any()
    assert of_weight.isfinite().all()
    assert of_bias[norm.bias > 0].all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_evaluates_with_running_statistics(layout: torch.memory_format) -> None:
    norm, pool = layers()
    norm(some_map(2, 4, 3, 6, 6))
    before = copy.deepcopy(norm.eval().state_dict())
    x = some_map(1, 4, 3, 7, 6, layout=layout)
    torch.testing.assert_close(norm_relu_pool(x, norm, pool), pool(norm(x).relu()), rtol=0, atol=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in norm.state_dict().items())


def test_a_norm_with_a_frozen_map_in_front_learns() -> None:
    norm, pool = layers()
    plain, x = copy.deepcopy(norm), some_map(2, 4, 3, 6, 6)
    found = gradients(norm_relu_pool(x, norm, pool), *norm.parameters())
    expected = gradients(pool(plain(x).relu()), *plain.parameters())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_a_norm_of_another_kind_computes_by_itself() -> None:
    class Doubled(nn.BatchNorm3d):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002
            return 2 * super().forward(input)

    norm, pool = Doubled(4).double(), nn.MaxPool3d(3, 2, 1)
    x = some_map(2, 4, 3, 6, 6)
    torch.testing.assert_close(norm_relu_pool(x, norm, pool), 2 * layers_of(x, pool))


def layers_of(x: Tensor, pool: nn.MaxPool3d) -> Tensor:
    pooled: Tensor = pool(nn.BatchNorm3d(4).double()(x).relu())
    return pooled


def test_a_norm_over_processes_is_of_another_kind() -> None:
    assert type(BatchNormOverProcesses(4)) is not nn.BatchNorm3d


def test_a_single_value_per_channel_is_refused_as_torch_does() -> None:
    norm, pool = layers()
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        norm_relu_pool(some_map(1, 4, 1, 1, 1), norm, pool)


@pytest.mark.parametrize(
    ("size", "refusal"),
    [
        ((4, 80, 8, 8), ValueError),  # one clip, not in a batch
        ((2, 4, 3, 6), ValueError),
        ((2, 3, 4, 8, 8), RuntimeError),
        ((2, 80, 4, 8, 8), RuntimeError),
    ],
)
def test_maps_that_do_not_fit_are_refused_as_torch_does(
    size: tuple[int, ...], refusal: type[Exception]
) -> None:
    norm, pool = layers()
    before = copy.deepcopy(norm.state_dict())
    with pytest.raises(refusal):
        norm_relu_pool(some_map(*size), norm, pool)
    for name in ("running_mean", "running_var"):
        assert torch.equal(norm.get_buffer(name), before[name])


@pytest.mark.parametrize("setting", [{"ceil_mode": True}, {"dilation": 2}, {"dilation": (1, 2, 1)}])
def test_pools_of_other_kinds_are_pooled_with(setting: dict[str, Any]) -> None:
    norm, pool = layers()
    plain, pool = copy.deepcopy(norm), nn.MaxPool3d(3, 2, 1, **setting)
    x = some_map(2, 4, 6, 8, 8)
    torch.testing.assert_close(norm_relu_pool(x, norm, pool), pool(plain(x).relu()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("place", ["norm", "pool"])
def test_hooks_are_called(place: str) -> None:
    norm, pool = layers()
    hooked = norm if place == "norm" else pool
    shapes = []
    hooked.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape))
    norm_relu_pool(some_map(2, 4, 6, 8, 8), norm, pool)
    assert len(shapes) == 1


def test_gradients_of_gradients_are_refused() -> None:
    """Also where what follows needs none of its own, as a sum does."""
    norm, pool = layers()
    x = some_map(2, 4, 3, 6, 6).requires_grad_()
    z = norm_relu_pool(x, norm, pool)
    with pytest.raises(RuntimeError, match="differentiated again"):
        torch.autograd.grad(z.sum(), x, create_graph=True)


def test_bfloat16_gradients_are_near_those_of_float32() -> None:
    norm, pool = layers()
    norm.float()
    x = some_map(2, 4, 8, 24, 24, layout=torch.channels_last_3d).bfloat16().requires_grad_()
    exact = x.detach().float().requires_grad_()
    halved = norm_relu_pool(x, norm, pool)
    assert halved.dtype == torch.bfloat16
    found = gradients(halved, x, *norm.parameters())
    expected = gradients(norm_relu_pool(exact, norm, pool), exact, *norm.parameters())
    for one, other in zip(found, expected, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()
