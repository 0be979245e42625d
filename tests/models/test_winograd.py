"""The stem's convolution in float32 on the CPU, by Winograd's minimal filtering."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from depression_vr.models import winograd
from depression_vr.models.stem_convolution import StemConvolution

GEOMETRY = {"stride": (1, 2, 2), "padding": 3}
# one part of several clips; several parts, the last tile not whole; less than a tile
SHAPES = [(5, 16, 24, 24), (1, 19, 129, 131), (1, 5, 16, 16)]


def film(shape: tuple[int, ...]) -> Tensor:
    """Clips of slow shapes with some noise, channels last in memory."""
    generator = torch.Generator().manual_seed(0)
    number, *sides = shape
    slow = functional.interpolate(
        torch.randn(number, 3, 2, 5, 5, generator=generator), sides, mode="trilinear"
    )
    noise = 0.1 * torch.randn(slow.shape, generator=generator)
    return (slow + noise).contiguous(memory_format=torch.channels_last_3d)


def error(found: Tensor, exact: Tensor) -> float:
    """Norm of the difference, as a share."""
    assert found.shape == exact.shape
    return float((found.double() - exact).norm() / exact.norm())


def differentiated(y: Tensor, *to: Tensor) -> tuple[Tensor, ...]:
    """Output and gradients of it, weighed at random."""
    cotangent = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
    return y.detach(), *torch.autograd.grad(y, to, cotangent)


@pytest.mark.parametrize("shape", SHAPES)
def test_output_and_gradients_are_the_convolutions_but_for_rounding(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    stem, clips = StemConvolution(4), film(shape).requires_grad_()
    plain = functional.conv3d(clips, stem.weight, **GEOMETRY)
    exact = differentiated(plain, clips, stem.weight)
    found = differentiated(stem(clips), clips, stem.weight)
    tolerances = (1e-5, 1e-6, 5e-5)
    errors = [error(*pair) for pair in zip(found, exact, strict=True)]
    assert all(each < tolerance for each, tolerance in zip(errors, tolerances, strict=True)), errors
    assert found[0].is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(differentiated(stem(clips), clips, stem.weight), found, rtol=0, atol=0)


@pytest.mark.parametrize("frozen", ["clips", "weight"])
def test_what_is_frozen_gets_no_gradient_and_the_other_the_same(frozen: str) -> None:
    stem, clips = StemConvolution(4), film((2, 8, 12, 12)).contiguous().requires_grad_()  # channels first
    learned = {"clips": clips, "weight": stem.weight}
    expected = dict(zip(learned, differentiated(stem(clips), clips, stem.weight)[1:], strict=True))
    learned.pop(frozen).requires_grad_(False)
    ((name, tensor),) = learned.items()
    torch.testing.assert_close(differentiated(stem(clips), tensor)[1], expected[name], rtol=0, atol=0)


def test_the_output_may_be_changed_in_place() -> None:
    stem, clips = StemConvolution(4), film((1, 8, 12, 12))
    changed = differentiated(stem(clips).relu_(), stem.weight)
    torch.testing.assert_close(changed, differentiated(stem(clips).relu(), stem.weight), rtol=0, atol=0)


def test_no_clips_give_a_gradient_of_zeros() -> None:
    stem = StemConvolution(4)
    stem(torch.empty(0, 3, 8, 12, 12)).sum().backward()
    assert stem.weight.grad is not None and not stem.weight.grad.any()


@pytest.mark.parametrize("size", [16, 17])
def test_in_double_precision_the_products_are_the_convolution(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(2, 22, size, size, 3, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, 3, 7, 7, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, generator=generator, dtype=torch.float64)
    exact = functional.conv3d(frames.movedim(4, 1), weight, bias, (1, 2, 2), (0, 3, 3))
    y = winograd.convolved(frames, winograd.point_kernels(weight), bias).movedim(4, 1)
    torch.testing.assert_close(y, exact, rtol=1e-9, atol=1e-9)
    exact, of_weight = differentiated(exact, weight)
    gradient = torch.randn(exact.shape, generator=torch.Generator().manual_seed(1)).to(exact).movedim(1, 4)
    found = winograd.of_weight(winograd.weight_gradients(frames, gradient, (7, 7)))
    torch.testing.assert_close(found, of_weight, rtol=1e-9, atol=1e-9)


def test_gradients_can_be_differentiated_again() -> None:
    torch.manual_seed(0)
    stem, clips = StemConvolution(2), film((1, 8, 12, 12)).requires_grad_()

    def of_squares(y: Tensor) -> tuple[Tensor, ...]:
        first = torch.autograd.grad(y.square().sum(), [clips, stem.weight], create_graph=True)
        return torch.autograd.grad(sum(each.square().sum() for each in first), [clips, stem.weight])

    expected = of_squares(functional.conv3d(clips, stem.weight, **GEOMETRY))
    errors = [error(*pair) for pair in zip(of_squares(stem(clips)), expected, strict=True)]
    assert max(errors) < 1e-4


def test_a_backward_pass_under_autocast_stays_in_float32() -> None:
    """As that of a stem that trains in float32 may be."""
    torch.manual_seed(0)
    stem, clips = StemConvolution(4), film((1, 8, 16, 16))
    y = stem(clips)
    expected = differentiated(y, stem.weight)
    y = stem(clips)
    with torch.autocast("cpu", torch.bfloat16):
        found = differentiated(y, stem.weight)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
