"""Batch norms over the clips of all processes, for processes on a CPU, where torch has none."""

from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.layer_sync import LayerSync
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class BatchNormOverProcesses(_BatchNorm):
    """What `torch.nn.SyncBatchNorm` is on GPUs.

    Every process computes mean and variance of its own clips; those of all are gathered and joined as Chan,
    Golub and LeVeque do ("Algorithms for computing the sample variance", 1983). Gradients flow through the
    gathering back to the process that a statistic came from.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002, torch's name
        """Take any number of axes after the channels."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """``(B, C, ...)``, normalised; every process needs to have a batch."""
        if not self.training or dist.get_world_size() == 1:
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        over = [axis for axis in range(values.ndim) if axis != 1]
        variance, mean = torch.var_mean(values, over, correction=0)
        count = torch.full_like(mean, values.numel() / values.shape[1])
        counts, means, variances = _of_all_processes(torch.stack([count, mean, variance])).unbind(1)
        total = counts.sum(0)
        mean = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean).square())).sum(0) / total
        self._follow(mean.detach(), (variance * total / (total - 1)).detach())
        scale = torch.rsqrt(variance + self.eps)
        columns = (-1, *(1 for _ in over[1:]))
        normalised = (values - mean.view(columns)) * scale.view(columns)
        if self.affine:
            normalised = normalised * self.weight.view(columns) + self.bias.view(columns)
        return normalised.to(input.dtype)

    def _follow(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        """Move the running statistics towards those of a batch."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(unbiased_variance, share)


def _of_all_processes(statistics: Tensor) -> Tensor:
    """One row for each process's tensor, by rank."""
    rows = statistics.new_zeros(dist.get_world_size(), *statistics.shape)
    rows[dist.get_rank()] = statistics
    gathered: Tensor = _SumOverProcesses.apply(rows)
    return gathered


class _SumOverProcesses(torch.autograd.Function):
    """The sum of all processes' tensors, and of their gradients."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return _sum(own)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _sum(gradients[0])


def _sum(own: Tensor) -> Tensor:
    total = own.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


class SyncBatchNormsOnCpu(LayerSync):
    """Makes the batch norms of a network span all processes, and back; parameters and their names stay."""

    def __init__(self) -> None:
        self._classes: dict[nn.Module, type[nn.Module]] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        """Convert every batch norm."""
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                self._classes[module] = type(module)
                module.__class__ = BatchNormOverProcesses
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Make every batch norm again what it was."""
        for module, before in self._classes.items():
            module.__class__ = before
        self._classes.clear()
        return model
