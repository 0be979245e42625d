"""Features times attention."""

import pytest
import torch
from torch import Tensor

from depression_vr.models.attention import weighed

SIZE = (2, 4, 8, 6, 5)
TEMPORAL, SPATIAL = (2, 4, 8, 1, 1), (2, 4, 1, 6, 5)


def vectors(*sizes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(size, generator=generator).requires_grad_() for size in sizes]


def features() -> Tensor:
    x = torch.rand(SIZE, generator=torch.Generator().manual_seed(0)) + 0.5
    return x.contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("sizes", [(TEMPORAL,), (SPATIAL,), (TEMPORAL, SPATIAL)])
def test_it_is_the_product_and_half_precision_is_near_it(sizes: tuple[tuple[int, ...], ...]) -> None:
    attention = vectors(*sizes)
    z = features().bfloat16().requires_grad_()
    exact = z.detach().double().requires_grad_()
    expected = exact
    for vector in attention:
        expected = expected * vector.double()
    torch.testing.assert_close(weighed(exact, *(vector.double() for vector in attention)), expected)
    y = weighed(z, *attention)
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous(memory_format=torch.channels_last_3d)
    cotangent = torch.randn(SIZE, generator=torch.Generator().manual_seed(2)).bfloat16()
    found = torch.autograd.grad(y, [z, *attention], cotangent)
    wanted = torch.autograd.grad(expected, [exact, *attention], cotangent.double())
    for one, other in zip(found, wanted, strict=True):
        assert (one.double() - other).norm() < 0.02 * other.norm()


def test_positions_that_share_an_attention_do_not_share_a_rounding_error() -> None:
    attention = torch.full((1, 1, 1, 1, 1), 0.3349)
    z = (torch.rand(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0)) + 0.5).bfloat16()
    ratio = weighed(z, attention).double() / z.double()
    assert abs(attention.bfloat16().item() - attention.item()) > 2**-11
    assert abs(ratio.mean().item() - attention.item()) < 2**-14
