"""Augmentation does what its ranges say, the same to all frames of a clip."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from depression_vr.data.augmentation import (
    Augmentation,
    ColourJitter,
    HorizontalFlip,
    Normalisation,
    Rotation,
)


@pytest.fixture
def clips() -> Tensor:
    """Three clips of four smooth frames, colours well inside 0..1."""
    coarse = torch.rand(12, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(coarse, (12, 16), mode="bilinear")
    return (0.3 + 0.4 * frames).view(3, 4, 3, 12, 16)


def centre(**changed: float) -> Tensor:
    """Uniform numbers for three clips: no change, but for the named ones."""
    names = ("brightness", "contrast", "saturation", "hue")
    return torch.tensor([[changed.get(name, 0.5) for name in names]] * 3)


def luma(clips: Tensor) -> Tensor:
    return torch.einsum("c,btchw->bthw", torch.tensor([0.299, 0.587, 0.114]), clips).unsqueeze(2)


JITTER = ColourJitter(0.2, 0.2, 0.2, 0.2)


def test_the_middle_of_every_range_changes_nothing(clips: Tensor) -> None:
    torch.testing.assert_close(JITTER(clips, centre()), clips, rtol=0, atol=2e-6)


def test_brightness_is_torchvisions(clips: Tensor) -> None:
    expected = reference.adjust_brightness(clips, 1.1)
    torch.testing.assert_close(JITTER(clips, centre(brightness=0.75)), expected, rtol=0, atol=1e-5)


def test_saturation_is_torchvisions(clips: Tensor) -> None:
    # torchvision rounds the luma weights to four digits
    expected = reference.adjust_saturation(clips, 0.9)
    torch.testing.assert_close(JITTER(clips, centre(saturation=0.25)), expected, rtol=0, atol=1e-4)


def test_contrast_is_torchvisions_on_the_whole_clip(clips: Tensor) -> None:
    one_long_image = clips.permute(0, 2, 1, 3, 4).flatten(2, 3)
    expected = reference.adjust_contrast(one_long_image, 1.2).unflatten(2, (4, 12)).permute(0, 2, 1, 3, 4)
    torch.testing.assert_close(JITTER(clips, centre(contrast=1.0)), expected, rtol=0, atol=1e-4)


def test_hue_turns_the_way_torchvisions_does_and_keeps_luma(clips: Tensor) -> None:
    turned = JITTER(clips, centre(hue=0.625))
    expected = reference.adjust_hue(clips, 0.05)
    torch.testing.assert_close(luma(turned), luma(clips), rtol=0, atol=1e-5)
    # HSV's hexagon moves luma too: compare what both do to the chroma
    change, wanted = (x - luma(x) - (clips - luma(clips)) for x in (turned, expected))
    assert torch.corrcoef(torch.stack([change.flatten(), wanted.flatten()]))[0, 1] > 0.9


def test_colours_are_cut_at_black_and_white() -> None:
    white = torch.ones(1, 2, 3, 2, 2)
    assert JITTER(white, torch.tensor([[1.0, 0.5, 0.5, 0.5]])).max() == 1


def test_every_frame_of_a_clip_is_treated_alike() -> None:
    frame = torch.rand(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    still = frame.expand(2, 5, 3, 16, 16).contiguous()
    augmentation = Augmentation([JITTER, HorizontalFlip(0.5), Rotation(10, 1.0)])
    changed = augmentation(still, torch.tensor([[0.1, 0.9, 0.3, 0.7, 0.2, 0.1, 0.9]] * 2))
    torch.testing.assert_close(changed, changed[:, :1].expand_as(changed))
    assert not torch.allclose(changed, still, atol=0.05)


def test_flip_mirrors_the_clips_below_p(clips: Tensor) -> None:
    flipped = HorizontalFlip(0.5)(clips, torch.tensor([[0.4], [0.5], [0.0]]))
    assert torch.equal(flipped[0], clips[0].flip(-1))
    assert torch.equal(flipped[1], clips[1])
    assert torch.equal(flipped[2], clips[2].flip(-1))


@pytest.mark.parametrize("angle", [-10.0, 4.0])
def test_rotation_is_torchvisions_on_a_picture_that_is_not_square(clips: Tensor, angle: float) -> None:
    uniforms = torch.tensor([[0.0, 0.5 + angle / 20]] * 3)
    expected = reference.rotate(
        clips.flatten(0, 1), angle, interpolation=reference.InterpolationMode.BILINEAR
    ).view_as(clips)
    rotated = Rotation(10, 0.5)(clips, uniforms)
    inner = (..., slice(3, -3), slice(3, -3))  # at the border torchvision mixes black in differently
    torch.testing.assert_close(rotated[inner], expected[inner], rtol=0, atol=1e-4)


def test_rotation_leaves_other_clips_alone(clips: Tensor) -> None:
    rotated = Rotation(10, 0.25)(clips, torch.tensor([[0.3, 0.9]] * 3))
    torch.testing.assert_close(rotated, clips, rtol=0, atol=1e-5)


def test_normalisation_puts_channels_before_time() -> None:
    clips = torch.rand(2, 4, 3, 5, 6)
    normalised = Normalisation([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])(clips)
    assert normalised.shape == (2, 3, 4, 5, 6)
    torch.testing.assert_close(normalised[1, 2, 3], (clips[1, 3, 2] - 0.6) / 0.4)
