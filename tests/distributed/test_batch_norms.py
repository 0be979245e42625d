"""Batch norms that span processes on the CPU."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from depression_vr.distributed.batch_norm import BatchNormOverProcesses, SyncBatchNormsOnCpu
from side_by_side import run_function

SIZES = (1, 4, 2)
"""Clips of each process."""


def network(momentum: float | None, affine: bool) -> nn.Sequential:
    torch.manual_seed(0)
    norms = (
        nn.BatchNorm3d(4, momentum=momentum, affine=affine),
        nn.BatchNorm1d(4, momentum=momentum, affine=affine),
    )
    return nn.Sequential(nn.Conv3d(3, 4, 2), norms[0], nn.ReLU(), nn.Flatten(2), nn.Conv1d(4, 4, 1), norms[1])


def shares(whole: Tensor) -> tuple[Tensor, ...]:
    return whole.split(SIZES)


def loss(outputs: Tensor, first: int) -> Tensor:
    weights = torch.arange(first, first + len(outputs)).view(-1, 1, 1) + 1
    return (weights * outputs.square().cos()).sum()


def batch_norms_are_those_of_one_process() -> None:
    rank = dist.get_rank()
    for momentum, affine in ((0.1, True), (None, True), (0.3, False)):
        one, several = network(momentum, affine), network(momentum, affine)
        SyncBatchNormsOnCpu().apply(several)
        assert one.state_dict().keys() == several.state_dict().keys()
        for step in range(3):
            torch.manual_seed(step)
            whole = 5 + 3 * torch.randn(sum(SIZES), 3, 3, 4, 4)
            own = shares(whole)[rank].requires_grad_()
            whole.requires_grad_()
            expected, outputs = one(whole), several(own)
            torch.testing.assert_close(outputs, shares(expected)[rank], rtol=1e-4, atol=1e-5)
            loss(expected, 0).backward()
            loss(outputs, sum(SIZES[:rank])).backward()
            assert whole.grad is not None
            torch.testing.assert_close(own.grad, shares(whole.grad)[rank], rtol=1e-3, atol=1e-4)
        for name, parameter in several.named_parameters():
            dist.all_reduce(parameter.grad)
            torch.testing.assert_close(
                parameter.grad, one.get_parameter(name).grad, rtol=1e-3, atol=1e-2, msg=name
            )
        torch.testing.assert_close(several.state_dict(), one.state_dict())
        whole = torch.randn(2, 3, 3, 4, 4)
        torch.testing.assert_close(several.eval()(whole), one.eval()(whole))


def test_several_processes_normalise_as_one() -> None:
    assert run_function(len(SIZES), batch_norms_are_those_of_one_process) == [0] * len(SIZES)


def test_they_become_again_what_they_were() -> None:
    layers, converted = SyncBatchNormsOnCpu(), network(0.1, True)
    kinds = [type(module) for module in converted]
    layers.apply(converted)
    assert [isinstance(module, BatchNormOverProcesses) for module in converted] == [
        False, True, False, False, False, True
    ]  # fmt: skip
    layers.revert(converted)
    assert [type(module) for module in converted] == kinds
