"""Convolutions that take another form in bfloat16 on the CPU."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models.arithmetic import gradient_errors
from depression_vr.models.grouped_convolution import GroupedConvolution
from depression_vr.models.sta_drn import StaDrn
from depression_vr.models.stem_convolution import StemConvolution

LAYOUTS = [torch.contiguous_format, torch.channels_last_3d]
SIZES = [(8, 20, 24), (7, 21, 23), (9, 8, 7)]  # no kernel is larger: some gradients would be wrong


def stem() -> tuple[nn.Conv3d, nn.Conv3d]:
    return StemConvolution(8), nn.Conv3d(3, 8, 7, stride=(1, 2, 2), padding=3, bias=False)


def grouped(groups: int, stride: int = 1) -> tuple[nn.Conv3d, nn.Conv3d]:
    ours = GroupedConvolution(12, 24, stride=stride, groups=groups)
    return ours, nn.Conv3d(12, 24, 3, stride=stride, padding=1, groups=groups)


def of(layer: nn.Module, x: Tensor, *, half: bool) -> tuple[Tensor, ...]:
    """Output, gradients of input and parameters."""
    x = x.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        y = layer(x)
    cotangent = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype)
    return y.detach(), *torch.autograd.grad(y, [x, *layer.parameters()], cotangent)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "build", [stem, lambda: grouped(2), lambda: grouped(3, stride=2), lambda: grouped(1)]
)
def test_they_compute_what_a_convolution_does(
    build: Callable[[], tuple[nn.Conv3d, nn.Conv3d]], size: tuple[int, ...], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    ours, plain = build()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, ours.in_channels, *size).contiguous(memory_format=layout)
    for half, most in ((False, 1e-4), (True, 0.02)):
        for found, expected in zip(of(ours, x, half=half), of(plain, x, half=False), strict=True):
            assert found.shape == expected.shape
            assert (found.float() - expected).norm() < most * expected.norm()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_maps_have_the_channels_last_in_memory(layout: torch.memory_format) -> None:
    x = torch.randn(2, 3, 4, 12, 12).contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast("cpu", torch.bfloat16):
        y = GroupedConvolution(8, 8, stride=1, groups=2)(StemConvolution(8)(x))
    assert y.is_contiguous(memory_format=torch.channels_last_3d)


def test_weights_in_bfloat16_need_no_autocast() -> None:
    layer, x = StemConvolution(8), torch.randn(1, 3, 4, 12, 12)
    expected = functional.conv3d(x, layer.weight, stride=(1, 2, 2), padding=3)
    y = layer.bfloat16()(x.bfloat16())
    assert (y.float() - expected).norm() < 0.02 * expected.norm()


@pytest.mark.parametrize("attention", ["sta_fused", "ta"])
def test_every_layer_of_sta_drn_learns_in_bfloat16_what_it_does_in_float32(attention: str) -> None:
    """On clips of 64 frames, large enough that no kernel is larger than its map."""
    torch.manual_seed(0)
    network = StaDrn(attention, layers=(1, 1, 1, 1)).to(memory_format=torch.channels_last_3d)
    clips = torch.randn(1, 3, 64, 96, 96).contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast("cpu", torch.bfloat16):
        errors = gradient_errors(network, [clips])
    convolutions = {name for name, layer in network.named_modules() if isinstance(layer, nn.Conv3d)}
    assert errors.keys() == convolutions
    assert max(errors.values()) < 0.02
