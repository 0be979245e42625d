"""Which convolutions half precision is known or found to get wrong."""

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from depression_vr.models.arithmetic import wrong_convolutions

WITHOUT_AMX = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}
"""What oneDNN takes on processors that have AVX512 but no AMX."""
MEMORY_HOLDS_SOMETHING = {"MALLOC_PERTURB_": "128"}


def found(network: nn.Module, *views: Tensor, dtype: torch.dtype = torch.bfloat16) -> list[str]:
    with torch.autocast("cpu", dtype=dtype):
        return wrong_convolutions(network, views)


class _WrongInHalf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return weight.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return gradient if gradient.dtype == torch.float32 else gradient * ctx.factor, None


class DefectiveConv3d(nn.Conv3d):
    """Its weight gradient is off by a factor in half precision, as a kernel with a bug has it."""

    factor = 1.0

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(x, _WrongInHalf.apply(weight, self.factor), bias)


class Everything(nn.Module):
    """One, two and three dimensions, strides, groups, dilation, padding by name and by reflection, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 8, 7, stride=(1, 2, 2), padding=3)
        self.grouped = nn.Conv3d(8, 8, 3, padding="same", groups=4, bias=False)
        self.norm = nn.BatchNorm3d(8)
        self.halve = nn.Conv3d(8, 8, 3, stride=2, padding=1)
        self.point = nn.Conv3d(8, 8, 1)
        self.plane = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.line = nn.Conv1d(8, 4, 3, dilation=2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, clips: Tensor) -> Tensor:
        x = self.halve(self.norm(self.grouped(self.grouped(self.stem(clips)))))
        x = self.plane(self.point(x).mean(2))
        return self.dropout(self.line(x.mean(2)))


def clips(*size: int) -> Tensor:
    return torch.randn(3, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_nothing_is_found_where_all_is_right(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = Everything()
    network.grouped.to(memory_format=torch.channels_last_3d)
    assert found(network, clips(8, 20, 24), dtype=dtype) == []


def test_the_search_leaves_everything_as_it_was() -> None:
    torch.manual_seed(0)
    network = Everything()
    network.point.weight.grad = torch.ones_like(network.point.weight)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random_state = torch.get_rng_state()
    found(network, clips(8, 20, 24))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert torch.equal(torch.get_rng_state(), random_state)
    assert [name for name, parameter in network.named_parameters() if parameter.grad is not None] == [
        "point.weight"
    ]
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("factor", [1.1, 0.0, float("nan"), float("inf")])
def test_a_wrong_gradient_is_found(factor: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(3, 4, 3), DefectiveConv3d(4, 4, 3), DefectiveConv3d(4, 4, 1))
    network[1].factor = factor
    assert found(network, clips(6, 6, 6)) == ["1"]


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "is_known"),
    [
        (3, 1, (2, 6, 6), True),  # the last stage of STA-DRN on clips of 16 frames
        (3, 2, (4, 4, 1), True),
        (3, 2, (4, 1, 4), True),
        ((3, 1, 1), 1, (2, 6, 6), True),
        ((1, 3, 3), 1, (2, 6, 6), False),
        (3, 1, (3, 3, 3), False),
        (7, 1, (6, 8, 8), True),
        (1, 2, (1, 1, 1), False),
    ],
)
def test_kernels_larger_than_their_map_are_not_even_tried_in_bfloat16_on_a_cpu(
    kernel: int | tuple[int, int, int], stride: int, size: tuple[int, int, int], is_known: bool
) -> None:
    padding = kernel // 2 if isinstance(kernel, int) else tuple(side // 2 for side in kernel)
    network = nn.Sequential(nn.Conv3d(3, 4, kernel, stride=stride, padding=padding))
    assert found(network, clips(*size)) == (["0"] if is_known else [])


def test_the_weight_gradient_on_two_time_steps_is_still_wrong_in_bfloat16() -> None:
    """When this fails, torch has been repaired: see whether `models.arithmetic` is of use any longer."""
    if sys.platform != "linux" or "AVX512" not in torch.backends.cpu.get_cpu_capability():
        pytest.skip("the kernel with the bug needs AVX512, and memory that holds something needs glibc")
    program = """if True:
        import torch
        torch.manual_seed(0)
        x, gradient = torch.randn(2, 2, 16, 2, 4, 4)
        weight = torch.randn(16, 16, 3, 3, 3)
        def of(dtype):
            w = weight.to(dtype).requires_grad_()
            y = torch.nn.functional.conv3d(x.bfloat16().to(dtype), w, padding=1)
            return torch.autograd.grad(y, w, gradient.bfloat16().to(dtype))[0].float()
        print((of(torch.bfloat16) - of(torch.float32)).norm().item() / of(torch.float32).norm().item())
    """
    environment = os.environ | WITHOUT_AMX | MEMORY_HOLDS_SOMETHING
    command = [sys.executable, "-c", program]
    error = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert not float(error) < 0.1
