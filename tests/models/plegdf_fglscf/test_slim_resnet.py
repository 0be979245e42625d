"""The 3x3x3 convolution of short clips is the padded one, with less to do."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from depression_vr.models.arithmetic import wrong_convolutions
from depression_vr.models.plegdf_fglscf.slim_resnet import Convolution3x3x3


def padded(convolution: nn.Conv3d) -> nn.Conv3d:
    """PyTorch's own layer with the same weight."""
    plain = nn.Conv3d(
        convolution.in_channels, convolution.out_channels, 3, convolution.stride[0], padding=1, bias=False
    ).to(convolution.weight.dtype)
    plain.load_state_dict(convolution.state_dict())
    return plain


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_outputs_and_gradients_are_those_of_the_padded_convolution(frames: int, stride: int) -> None:
    torch.manual_seed(0)
    convolution = Convolution3x3x3(4, stride).double()
    x = torch.randn(2, 4, frames, 5, 6, dtype=torch.float64)
    outcomes = []
    for layer in (padded(convolution), convolution):
        given = x.clone().requires_grad_()
        y = layer(given)
        y.square().sum().backward()
        outcomes.append((y, given.grad, layer.weight.grad))
    torch.testing.assert_close(outcomes[1], outcomes[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("frames", "stride", "share"), [(1, 1, 1 / 3), (1, 2, 1 / 3), (2, 2, 2 / 3), (2, 1, 1), (4, 2, 1)]
)
def test_steps_of_the_kernel_that_lie_in_the_padding_are_left_out(
    frames: int, stride: int, share: float
) -> None:
    convolution = Convolution3x3x3(4, stride)
    x = torch.randn(2, 4, frames, 6, 6)
    operations = []
    for layer in (convolution, padded(convolution)):
        with FlopCounterMode(display=False) as counted:
            layer(x)
        operations.append(counted.get_total_flops())
    assert operations[0] / operations[1] == pytest.approx(share)


@pytest.mark.parametrize(
    ("frames", "stride", "is_known"), [(1, 1, False), (1, 2, False), (2, 2, False), (2, 1, True)]
)
def test_bfloat16_is_refused_only_where_what_is_left_of_the_kernel_is_larger_than_the_map(
    frames: int, stride: int, is_known: bool
) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(Convolution3x3x3(16, stride))
    with torch.autocast("cpu", torch.bfloat16):
        wrong = wrong_convolutions(layers, [torch.randn(2, 16, frames, 4, 4)])
    assert wrong == (["0"] if is_known else [])
