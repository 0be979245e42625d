"""What the network sees is what one transform after the other would give."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from depression_vr.data.augmentation import (
    Augmentation,
    ClipTransform,
    ColourJitter,
    HorizontalFlip,
    Normalisation,
    Rotation,
)
from depression_vr.data.preparation import Preparation
from depression_vr.data.regions import WHOLE_FRAME, Region, RegionViews

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RGB_TO_YIQ = torch.tensor(
    [[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]]
)
JITTER = ColourJitter(0.4, 0.4, 0.4, 0.2)
FLIP = HorizontalFlip(0.5)


class Darkening:
    """A transform of a user's own."""

    draws = 1

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        return clips * uniforms[:, :, None, None, None]


class OneColour(ColourJitter):
    """A user's own, of ours."""

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        return clips.mean(2, keepdim=True).expand_as(clips)


class UpsideDown(HorizontalFlip):
    """A user's own, of ours."""

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        return clips.flip(3)


def pixels(*shape: int) -> Tensor:
    """Clips ``(B, T, 3, H, W)``, colours last in memory, full range."""
    clips, length, height, width = shape
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randint(0, 256, (clips, length, height, width, 3), dtype=torch.uint8, generator=generator)
    return drawn.permute(0, 1, 4, 2, 3)


def uniforms(clips: int, draws: int) -> Tensor:
    return torch.rand(clips, draws, generator=torch.Generator().manual_seed(3))


def plainly_jittered(clips: Tensor, numbers: Tensor) -> Tensor:
    """`JITTER` spelled out: YIQ pixel by pixel, then contrast around the clip's mean luma."""
    jittered = []
    for clip, (brightness, contrast, saturation, hue) in zip(clips, 2 * numbers - 1, strict=True):
        angle = 2 * torch.pi * 0.2 * hue
        y, i, q = torch.einsum("ij,tjhw->itwh", RGB_TO_YIQ, clip).transpose(2, 3)
        chroma = torch.complex(i, -q) * torch.polar(1 + 0.4 * saturation, angle)
        luma = (1 + 0.4 * contrast) * y - 0.4 * contrast * y.mean()
        yiq = torch.stack([luma, (1 + 0.4 * contrast) * chroma.real, -(1 + 0.4 * contrast) * chroma.imag])
        rgb = torch.einsum("ij,jthw->tihw", torch.linalg.inv(RGB_TO_YIQ), yiq)
        jittered.append(((1 + 0.4 * brightness) * rgb).clamp(0, 1))
    return torch.stack(jittered)


def plainly(
    clips: Tensor, transforms: Sequence[ClipTransform], numbers: Tensor, views: RegionViews
) -> list[Tensor]:
    """One after the other on float clips, ``(B, 3, T, h, w)``."""
    floats = clips.contiguous().float() / 255
    first = 0
    for transform in transforms:
        share = numbers[:, first : first + transform.draws]
        floats = (plainly_jittered if transform is JITTER else transform)(floats, share)
        first += transform.draws
    mean, std = (torch.tensor(colours)[:, None, None, None] for colours in (MEAN, STD))
    return [(view.transpose(1, 2) - mean) / std for view in views(floats)]


@pytest.mark.parametrize("shape", [(3, 5, 16, 24), (2, 3, 15, 17), (1, 1, 8, 8)], ids=str)
@pytest.mark.parametrize(
    "transforms",
    [
        [],
        [JITTER],
        [FLIP],
        [JITTER, FLIP],
        [FLIP, JITTER],
        [JITTER, FLIP, Rotation(20, 0.7)],
        [Rotation(20, 0.7), JITTER, FLIP],
        [JITTER, Darkening(), FLIP],
        [JITTER, JITTER, FLIP, FLIP],
        [OneColour(0.4, 0.4, 0.4, 0.2), FLIP],
        [JITTER, UpsideDown(0.5)],
    ],
    ids=lambda transforms: "-".join(type(transform).__name__ for transform in transforms) or "none",
)
def test_one_pass_is_one_transform_after_the_other(
    transforms: list[ClipTransform], shape: tuple[int, ...]
) -> None:
    clips, augmentation = pixels(*shape), Augmentation(transforms)
    numbers = uniforms(len(clips), augmentation.draws)
    for views in (
        RegionViews([WHOLE_FRAME], (shape[2], shape[3])),
        RegionViews([WHOLE_FRAME, Region(top=0.2, bottom=0.7)], (10, 12)),
    ):
        prepared = Preparation(augmentation, views, Normalisation(MEAN, STD))(clips, numbers)
        expected = plainly(clips, transforms, numbers, views)
        for view, wanted in zip(prepared, expected, strict=True):
            torch.testing.assert_close(view, wanted, rtol=0, atol=1e-5)


def test_without_numbers_nothing_is_augmented() -> None:
    clips, views = pixels(2, 3, 8, 8), RegionViews([WHOLE_FRAME], (8, 8))
    (seen,) = Preparation(Augmentation([JITTER, FLIP]), views, Normalisation(MEAN, STD))(clips, None)
    (expected,) = plainly(clips, [], torch.empty(2, 0), views)
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-5)


def test_views_have_the_colours_last_in_memory() -> None:
    views = RegionViews([WHOLE_FRAME, Region(right=0.5)], (8, 8))
    preparation = Preparation(Augmentation([JITTER]), views, Normalisation(MEAN, STD))
    for view in preparation(pixels(2, 3, 16, 16), uniforms(2, 4)):
        assert view.shape == (2, 3, 3, 8, 8)
        assert view.is_contiguous(memory_format=torch.channels_last_3d)


def test_the_batch_stays_as_it_is_and_each_clip_is_prepared_by_itself() -> None:
    clips, numbers = pixels(3, 5, 16, 24), uniforms(3, 5)
    before = clips.clone()
    views = RegionViews([WHOLE_FRAME], (16, 24))
    preparation = Preparation(Augmentation([JITTER, FLIP]), views, Normalisation(MEAN, STD))
    (together,) = preparation(clips, numbers)
    assert torch.equal(clips, before)
    for place in range(3):
        (alone,) = preparation(clips[place : place + 1], numbers[place : place + 1])
        assert torch.equal(alone[0], together[place])


@pytest.mark.parametrize("transforms", [[JITTER, FLIP], [JITTER, FLIP, Rotation(20, 0.7)]], ids=len)
def test_no_device_is_asked_for_a_value(transforms: list[ClipTransform]) -> None:
    # the meta device has no values: it stands for every device that is not the CPU
    augmentation = Augmentation(transforms)
    clips, numbers = pixels(3, 5, 16, 24).to("meta"), uniforms(3, augmentation.draws).to("meta")
    views = RegionViews([WHOLE_FRAME], (16, 24))
    preparation = Preparation(augmentation, views, Normalisation(MEAN, STD))
    (view,) = preparation(clips, numbers)
    assert view.device.type == "meta"
    assert view.shape == (3, 3, 5, 16, 24)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_views_and_nobody_waits_for_it() -> None:
    clips, numbers = pixels(3, 5, 16, 24), uniforms(3, 5)
    views = RegionViews([WHOLE_FRAME], (16, 24))
    preparation = Preparation(Augmentation([JITTER, FLIP]), views, Normalisation(MEAN, STD))
    (expected,) = preparation(clips, numbers)
    there = clips.cuda(), numbers.cuda()
    preparation(*there)  # constants go to the device once
    torch.cuda.set_sync_debug_mode("error")
    try:
        (view,) = preparation(*there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(view.cpu(), expected, rtol=0, atol=1e-5)
