"""Regions of the face, cut on the device from frames that are read once."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Region:
    """A part of a frame, as fractions of its height and width: any frame size works.

    Attributes:
        top: first row, 0..1.
        bottom: end of the rows, 0..1, below ``top``.
        left: first column, 0..1.
        right: end of the columns, 0..1, right of ``left``.

    Raises:
        ValueError: there is nothing between two edges, or they lie outside the frame.
    """

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom <= 1 and 0 <= self.left < self.right <= 1):
            raise ValueError(f"{self} is no part of a frame: 0 <= top < bottom <= 1, 0 <= left < right <= 1")

    def cut(self, clips: Tensor) -> Tensor:
        """The region's pixels of ``(..., H, W)``, edges rounded to whole pixels, at least one each way."""
        rows, columns = (
            _span(first, end, side)
            for first, end, side in zip(
                (self.top, self.left), (self.bottom, self.right), clips.shape[-2:], strict=True
            )
        )
        return clips[..., rows, columns]


def _span(first: float, end: float, side: int) -> slice:
    start = min(round(first * side), side - 1)
    return slice(start, max(round(end * side), start + 1))


WHOLE_FRAME = Region()


class RegionViews:
    """Cuts clips into what a network looks at, one view per region, all of one size.

    Args:
        regions: in the order in which the network takes their views.
        size: height and width of every view in pixels, ``(H, W)``.
    """

    def __init__(self, regions: Sequence[Region], size: tuple[int, int]) -> None:
        self.regions = tuple(regions)
        self.size = size

    def __call__(self, clips: Tensor) -> tuple[Tensor, ...]:
        """One ``(B, T, 3, h, w)`` per region from ``(B, T, 3, H, W)``, float 0..1.

        A region of another shape than the view is padded with black on both sides, never stretched; what
        has the size already stays as it is.
        """
        return tuple(self._resized(_padded(region.cut(clips), self.size)) for region in self.regions)

    def show_all(self, clips: Tensor) -> bool:
        """Whether the only view of ``(..., H, W)`` is all of it, as it is."""
        return self.regions == (WHOLE_FRAME,) and tuple(clips.shape[-2:]) == self.size

    def _resized(self, view: Tensor) -> Tensor:
        if view.shape[-2:] == self.size:
            return view
        frames = functional.interpolate(view.flatten(0, 1), self.size, mode="bilinear", antialias=True)
        return frames.unflatten(0, view.shape[:2])


def _padded(view: Tensor, size: tuple[int, int]) -> Tensor:
    """The view within the smallest frame around it that has the proportions of ``size``."""
    (height, width), (wanted_height, wanted_width) = view.shape[-2:], size
    rows = max(round(width * wanted_height / wanted_width) - height, 0)
    columns = max(round(height * wanted_width / wanted_height) - width, 0)
    if not rows and not columns:
        return view  # which pad would copy
    return functional.pad(view, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
