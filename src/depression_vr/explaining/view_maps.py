"""From what was found in a network's views back to the frame that the views were cut from."""

from collections.abc import Sequence

import torch
from torch import Tensor

from depression_vr.data.regions import RegionViews


def sums_on_frame(maps: Sequence[Tensor], views: RegionViews, size: tuple[int, int]) -> Tensor:
    """Give every value of views to the pixels of the frame that it was made of; views add up.

    The adjoint of cutting, padding and resizing: what lies on padding is lost, all other sums stay.

    Args:
        maps: one per view, ``(B, T, h, w)``.
        views: how they were cut.
        size: height and width of the frame.

    Returns:
        ``(B, T, H, W)``.
    """
    with torch.enable_grad():
        frames = maps[0].new_zeros((*maps[0].shape[:2], 1, *size), requires_grad=True)
        cut = views(frames)
        given = [each.unsqueeze(2) for each in maps]
        return torch.autograd.grad(cut, frames, given, materialize_grads=True)[0].squeeze(2)


def means_on_frame(maps: Sequence[Tensor], views: RegionViews, size: tuple[int, int]) -> Tensor:
    """Give every pixel of the frame the mean of the values of a view that it had a part in; views add up.

    Args:
        maps: one per view, ``(B, T, h, w)``.
        views: how they were cut.
        size: height and width of the frame.

    Returns:
        ``(B, T, H, W)``, 0 where no view looks.
    """
    total = maps[0].new_zeros((*maps[0].shape[:2], *size))
    for shown, region in zip(maps, views.regions, strict=True):
        view = RegionViews([region], views.size)
        parts = sums_on_frame([torch.ones_like(shown[:1, :1])], view, size)
        total += sums_on_frame([shown], view, size) / parts.where(parts > 0, 1)
    return total
