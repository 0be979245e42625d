"""The rows about STA-DRN, and their baseline."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from depression_vr.bench.allocation import peak_allocation
from depression_vr.bench.guard import refuse_wrong_layers
from depression_vr.bench.plain_sta_drn import plain
from depression_vr.bench.rows import measure
from depression_vr.bench.sta_drn import StaDrnBenchmark
from depression_vr.bench.step import timed_in_training
from depression_vr.errors import UserError
from depression_vr.models.sta_drn import StaDrn


def network(attention: str, groups: int = 2) -> StaDrn:
    """With weights of both signs and statistics of its own, in float64."""
    torch.manual_seed(0)
    built = StaDrn(attention, base_planes=4, layers=(1, 2), groups=groups, norm_momentum=0.3).double()
    with torch.no_grad():
        for module in built.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.weight.normal_()
                module.bias.normal_()
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return built


@pytest.mark.parametrize("attention", ["ta", "sa", "sta", "sta_fused"])
@pytest.mark.parametrize(("batch", "size"), [(1, (5, 33, 30)), (3, (4, 16, 21))])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_network_computes_what_its_plain_twin_does(
    attention: str, batch: int, size: tuple[int, ...], groups: int
) -> None:
    ours = network(attention, groups)
    twin = plain(ours)
    ours.to(memory_format=torch.channels_last_3d)
    clips = torch.randn(batch, 3, *size).double()
    near = {"rtol": 1e-9, "atol": 1e-9}
    for _ in range(2):
        y, expected = ours(clips), twin(clips)
        torch.testing.assert_close(y, expected, **near)
        found = torch.autograd.grad(y.square().sum(), list(ours.parameters()))
        wanted = torch.autograd.grad(expected.square().sum(), list(twin.parameters()))
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-7)
    torch.testing.assert_close(dict(ours.state_dict()), dict(twin.state_dict()), **near)
    torch.testing.assert_close(ours.eval()(clips), twin.eval()(clips), **near)


def test_a_twin_is_in_the_same_mode_and_precision() -> None:
    ours = StaDrn(base_planes=2, layers=(1,)).eval()
    twin = plain(ours)
    assert not twin.training
    assert {parameter.dtype for parameter in twin.parameters()} == {torch.float32}


def test_rows_are_measured(tmp_path: Path) -> None:
    benchmark = StaDrnBenchmark(size=48, clip_length=8, base_planes=2, layers=(1, 1))
    results = measure(benchmark.rows(tmp_path), repetitions=1)
    assert [result.row.name for result in results] == [
        "sta_drn step float32",
        "sta_drn step float32 memory",
        "sta_drn step bf16",
        "sta_drn step bf16 memory",
    ]
    for result in results:
        assert result.figure > 0
        assert result.ratio is not None
    halved, full = results[3], results[1]
    assert halved.figure < full.figure
    assert halved.met is not None


def test_layers_that_are_wrong_in_bfloat16_are_timed_in_float32_as_they_are_trained(tmp_path: Path) -> None:
    """On clips of 8 frames the last two stages see kernels that are larger than their maps."""
    benchmark = StaDrnBenchmark(size=96, clip_length=8, base_planes=2, layers=(1, 1, 1, 1))
    said = {row.name: row.ours.what for row in benchmark.rows(tmp_path)}
    assert re.search(r"bf16 with [1-9]\d* convolutions in float32", said["sta_drn step bf16"])
    assert said["sta_drn step float32"].endswith("float32")


def test_steps_are_timed_with_deterministic_algorithms_and_only_they() -> None:
    found = []

    def work() -> None:
        fills = torch.utils.deterministic.fill_uninitialized_memory
        found.append((torch.are_deterministic_algorithms_enabled(), fills))

    before = torch.get_deterministic_debug_mode()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    torch.set_deterministic_debug_mode("warn")
    try:
        timed_in_training("work", work).run()
        assert set(found) == {(True, False)}
        assert torch.get_deterministic_debug_mode() == 1
        assert torch.utils.deterministic.fill_uninitialized_memory == fills
    finally:
        torch.set_deterministic_debug_mode(before)


def test_layers_that_compute_something_else_in_bfloat16_are_named() -> None:
    class Rough(nn.Conv3d):
        def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            scale = 1.03 if x.dtype == torch.bfloat16 else 1.0
            return super()._conv_forward(x, weight * scale, bias)

    layers = nn.Sequential(nn.Conv3d(3, 4, 3), Rough(4, 4, 3))
    with pytest.raises(UserError, match="off by more than") as refusal:
        refuse_wrong_layers(layers, [torch.randn(1, 3, 8, 8, 8)])
    assert [problem.where for problem in refusal.value.problems] == ["1"]


def test_peak_allocation_is_what_is_held_at_once(tmp_path: Path) -> None:
    def work() -> None:
        for _ in range(3):
            first = torch.zeros(2**20, dtype=torch.float32)
            second = first + 1
            del first, second

    assert peak_allocation(work, tmp_path) == pytest.approx(8, abs=0.1)
