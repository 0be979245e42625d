"""Whether an exported network says what the original says."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from depression_vr.errors import UserError
from depression_vr.exporting.formats import Scorer

TOLERANCE = 0.01
"""Points by which no score may differ."""
_SEED = 0
_COARSE = 8  # pixels along a side of random patches


@dataclass(frozen=True)
class Check:
    """What a comparison on random clips has shown.

    Attributes:
        clips: how many.
        largest_difference: of two scores of a clip, in points.
        lowest: score of the original, in points.
        highest: alike.
        at_a_bound: clips whose score is at an end of the scale, or would be beyond it: they agree, whatever
            lies behind it.
        shapes: numbers of clips and of frames that were passed at once.
    """

    clips: int
    largest_difference: float
    lowest: float
    highest: float
    at_a_bound: int
    shapes: tuple[tuple[int, int], ...]


def checked(
    original: Scorer, exported: Scorer, clip_length: int, frame_size: tuple[int, int], maximum: float
) -> Check:
    """Compare both on random clips of several numbers and lengths.

    Scores are cut at the ends of the scale before: beyond it there are no points, and of a clip that is like
    no video a network may say thousands, of which float32 leaves no hundredth.

    Args:
        original: the network as an evaluation computes it.
        exported: what was written.
        clip_length: frames of a clip in training; others are tried too.
        frame_size: height and width of frames.
        maximum: highest score of the scale.

    Raises:
        UserError: they differ by more than `TOLERANCE`, or the original gives no finite scores.
    """
    shapes = tuple(
        dict.fromkeys(
            [
                (1, clip_length),
                (2, -(-clip_length // 2)),
                (4, -(-clip_length // 4)),
                (3, 1),
                (1, clip_length + 1),
            ]
        )
    )
    pairs = [(original(frames), exported(frames)) for frames in _clips(shapes, frame_size)]
    wanted, found = (torch.cat(scores) for scores in zip(*pairs, strict=True))
    if not wanted.isfinite().all():
        raise UserError(
            "the network itself gives scores that are no finite numbers; nothing was written",
            where="config key run",
            fix="use another checkpoint: its training has diverged, or the file is damaged",
        )
    wanted, found = wanted.clamp(0, maximum), found.clamp(0, maximum)
    difference = float((wanted - found).abs().max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"the exported network differs from the original by {difference:.3g} points, which is more than "
            f"{TOLERANCE:g}; nothing was written",
            where="config key format",
            fix="use the other format, and report it",
        )
    return Check(
        clips=len(wanted),
        largest_difference=difference,
        lowest=float(wanted.min()),
        highest=float(wanted.max()),
        at_a_bound=int(((wanted == 0) | (wanted == maximum)).sum()),
        shapes=shapes,
    )


def _clips(shapes: tuple[tuple[int, int], ...], frame_size: tuple[int, int]) -> Iterator[Tensor]:
    """Frames ``(B, T, H, W, 3)``, uint8: changing patches of random brightness and contrast, and noise."""
    generator = torch.Generator().manual_seed(_SEED)
    for clips, length in shapes:
        patches = torch.rand(clips * length, 3, _COARSE, _COARSE, generator=generator)
        scene = functional.interpolate(patches, frame_size, mode="bilinear").unflatten(0, (clips, length))
        grain = torch.rand(clips, length, 3, *frame_size, generator=generator)
        contrast, brightness, noise = torch.rand(3, clips, 1, 1, 1, 1, generator=generator)
        mixed = brightness + contrast * (scene - 0.5) + noise * (grain - 0.5)
        yield (255 * mixed.clamp(0, 1)).to(torch.uint8).movedim(2, 4).contiguous()
