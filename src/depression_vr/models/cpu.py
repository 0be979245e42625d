"""Where a computation should take a form that is written for PyTorch's kernels for the CPU."""

import torch
from torch import Tensor


def takes_cpu_form(x: Tensor) -> bool:
    """Whether to compute with x as suits a CPU.

    A GPU has fused kernels of its own, and a compiler sees more of the plain form than of ours.
    """
    return x.device.type == "cpu" and not torch.compiler.is_compiling()
