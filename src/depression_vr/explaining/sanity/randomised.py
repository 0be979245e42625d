"""Networks whose weights were randomised, from the output inwards, and how alike their maps still are.

Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018: a map that stays the same when the weights
are random shows edges of the picture, not what was learnt.
"""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy import stats
from skimage.metrics import structural_similarity
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from depression_vr.explaining.sanity.parts import parts

Views = tuple[Tensor, ...]
_SSIM_WINDOW = 7  # pixels each way that one value is computed from


def cascade(network: nn.Module, clips: Sequence[Views], seed: int) -> Iterator[nn.Module]:
    """Copies of a network with more and more of its parts randomised, the output's first, the last one whole.

    The values of every weight are shuffled, which leaves their distribution as it is and suits any network.
    Batch norms of randomised parts have the statistics of what comes in from the clips: with those of
    training many networks would pass on nothing.

    Args:
        network: stays as it is.
        clips: views of some clips, each ``(1, 3, T, h, w)``; they pass through the network as one batch.
        seed: of the shuffling.

    Yields:
        In evaluation mode, one network per part of `parts`, the last one first.
    """
    randomised = copy.deepcopy(network).eval()
    together = tuple(torch.cat(view) for view in zip(*clips, strict=True))
    generator = torch.Generator().manual_seed(seed)
    norms: list[_BatchNorm] = []
    for part in reversed(parts(randomised)):
        for module in part.modules:
            for parameter in module.parameters():
                values = parameter.detach().flatten()
                shuffled = values[torch.randperm(len(values), generator=generator).to(values.device)]
                parameter.data.copy_(shuffled.view_as(parameter))
            norms += [inner for inner in module.modules() if isinstance(inner, _BatchNorm)]
        _take_statistics(randomised, norms, together)
        yield copy.deepcopy(randomised)


def _take_statistics(network: nn.Module, norms: Sequence[_BatchNorm], clips: Views) -> None:
    """Give norms the statistics of what comes in when all clips are one batch and all else is evaluated."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().momentum = 1.0
    with torch.no_grad():
        network(*clips)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation of two maps of one shape; NaN where one is constant."""
    if min(np.ptp(first), np.ptp(second)) == 0:
        return float("nan")
    return float(stats.spearmanr(first, second, axis=None).statistic)


def structural(first: np.ndarray, second: np.ndarray) -> float:
    """Structural similarity (SSIM) of two maps ``(H, W)``, each by its maximum; NaN below 7 x 7 pixels."""
    if min(first.shape) < _SSIM_WINDOW:
        return float("nan")
    first, second = (each / each.max() if each.max() > 0 else each for each in (first, second))
    return float(structural_similarity(first, second, win_size=_SSIM_WINDOW, data_range=1.0))  # type: ignore[no-untyped-call]
