"""Importance of pixels for scores."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from depression_vr.data.augmentation import Augmentation, Normalisation
from depression_vr.data.clips import ClipShape
from depression_vr.data.frames import FrameFolder
from depression_vr.data.preparation import Preparation
from depression_vr.data.reader import ClipReader
from depression_vr.data.regions import WHOLE_FRAME, Region, RegionViews
from depression_vr.data.video_windows import VideoWindows
from depression_vr.errors import UserError
from depression_vr.explaining.attention_maps import decision
from depression_vr.explaining.attributions import (
    METHODS,
    Attribution,
    attribute_pixels,
    methods_for,
    refuse_other_methods,
)
from depression_vr.explaining.methods import Settings
from depression_vr.explaining.view_maps import means_on_frame, sums_on_frame
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.attention import Attention
from depression_vr.models.baselines import R3D18, MeanBaseline
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn

FRAMES, SIDE = 4, 32
MOUTH = Region(top=0.5, bottom=1.0, left=0.25, right=0.75)
CPU = torch.device("cpu")
FINE = Settings(stage=1, steps=64, at_once=8)


def video(tmp_path: Any, *regions: Region) -> VideoWindows:
    """Whose frames are not read; it prepares pixels."""
    views = RegionViews(regions or (WHOLE_FRAME,), (SIDE, SIDE))
    normalisation = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    return VideoWindows(
        FrameFolder(tmp_path, np.array([b"0.jpg"])),
        ClipShape(FRAMES, 1),
        ClipReader((SIDE, SIDE)),
        Preparation(Augmentation(()), views, normalisation),
    )


def pixels(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (FRAMES, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def module(network: nn.Module) -> ScoreRegression:
    """In evaluation mode, with batch norms that have seen clips, and a score far from 0."""
    torch.manual_seed(1)
    views = 2 if isinstance(network, PlegdfFglscf) else 1
    with torch.no_grad():
        for _ in range(20):
            network(*torch.randn(views, 2, 3, FRAMES, SIDE, SIDE).unbind())
    scale = ScoreScale(factor=5.0)
    scale.offset.fill_(30.0)
    return ScoreRegression(network.eval(), scale)


def sta_drn(attention: str = "sta_fused") -> StaDrn:
    torch.manual_seed(0)
    return StaDrn(attention, base_planes=4, layers=(1, 1))


def plegdf(**settings: Any) -> PlegdfFglscf:
    torch.manual_seed(0)
    return PlegdfFglscf(SIDE, base_planes=4, layers=(1, 1, 1), reduction=2, **settings)


class Mean(nn.Module):
    """The mean over one half of the clip, left or right; a linear function of the pixels."""

    def __init__(self, columns: slice) -> None:
        super().__init__()
        self.columns = columns
        self.stage = nn.Conv3d(3, 1, kernel_size=1, bias=False)
        nn.init.ones_(self.stage.weight)

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to ``(B,)``."""
        return self.stage(clips)[..., self.columns].mean((1, 2, 3, 4))

    def stages_by_view(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The convolution."""
        return ((self.stage,),)


def attributed(network: nn.Module, method: str, cut: VideoWindows, settings: Settings = FINE) -> Attribution:
    return attribute_pixels(module(network), method, pixels(), cut, CPU, settings)


def test_every_network_has_its_methods() -> None:
    of_any = ("grad_cam", "integrated_gradients")
    assert methods_for(sta_drn()) == ("attention", *of_any)
    assert methods_for(plegdf()) == ("relations", *of_any)
    assert methods_for(plegdf(plegdf_stages=())) == of_any
    assert methods_for(R3D18()) == of_any
    assert methods_for(MeanBaseline()) == ()
    assert methods_for(nn.Linear(1, 1)) == ("integrated_gradients",)


@pytest.mark.parametrize(
    ("network", "method", "told"),
    [
        (sta_drn(), "relations", "attention, grad_cam, integrated_gradients"),
        (plegdf(), "attention", "relations, grad_cam, integrated_gradients"),
        (sta_drn(), "saliency", "there is no method 'saliency'"),
        (MeanBaseline(), "grad_cam", "is a constant"),
    ],
)
def test_other_methods_are_refused_and_those_that_work_named(
    network: nn.Module, method: str, told: str
) -> None:
    with pytest.raises(UserError) as refusal:
        refuse_other_methods(network, (method,))
    assert told in str(refusal.value)


@pytest.mark.parametrize("method", METHODS)
def test_importance_lies_on_the_frame(method: str, tmp_path: Any) -> None:
    network, regions = (plegdf(), (WHOLE_FRAME, MOUTH)) if method == "relations" else (sta_drn(), ())
    cut = video(tmp_path, *regions)
    whole = module(network)
    found = attribute_pixels(whole, method, pixels(), cut, CPU, FINE)
    assert found.importance.shape == (FRAMES, SIDE, SIDE) and found.importance.dtype == np.float32
    assert np.isfinite(found.importance).all() and found.importance.std() > 0
    assert (found.importance.min() < 0) == METHODS[method].signed
    assert np.array_equal(found.pixels, pixels().permute(0, 2, 3, 1).numpy())
    again = attribute_pixels(whole, method, pixels(), cut, CPU, FINE)
    assert np.array_equal(found.importance, again.importance)


@pytest.mark.parametrize("variant", ["ta", "sa", "sta", "sta_fused"])
def test_attention_varies_over_what_the_variant_attends_to(variant: str, tmp_path: Any) -> None:
    importance = attributed(sta_drn(variant), "attention", video(tmp_path)).importance
    assert (np.ptp(importance, axis=0).max() > 1e-6) == (variant != "sa")
    assert (np.ptp(importance, axis=(1, 2)).max() > 1e-6) == (variant != "ta")


def test_attention_that_is_dealt_evenly_says_nothing_and_one_that_is_not_says_where() -> None:
    even = torch.full((1, 2, 3, 4), 0.5)
    spatial = torch.full((1, 2, 3, 5, 5), 0.5)
    assert not decision(Attention(even, spatial)).any()
    spatial[0, :, 0, 1, 2] = torch.tensor([0.9, 0.1])
    for attention in (Attention(even, spatial), Attention(None, spatial)):
        found = decision(attention)[0]
        assert (found.flatten(1).argmax(1) == 1 * 5 + 2).all()


def test_attention_that_is_not_fused_counts_by_itself() -> None:
    uneven, none = torch.tensor([1.0, 0.0]), torch.zeros(2)
    temporal = torch.stack([uneven, none])[None, :, None]  # in the first time step it is the first group's
    spatial = torch.stack([none, none])[None, :, None, :, None]  # which would erase it from a product
    attention = Attention(temporal, spatial)
    assert not decision(attention).any()
    joined = decision(attention, fused=False)
    alone = decision(Attention(temporal, None))
    assert joined.shape == (1, 2, 2, 1) and alone.any()
    torch.testing.assert_close(joined, alone.expand_as(joined) / 2**0.5)


def test_grad_cam_and_integrated_gradients_find_the_half_that_counts(tmp_path: Any) -> None:
    left = slice(SIDE // 2)
    integrated = attributed(Mean(left), "integrated_gradients", video(tmp_path))
    assert not integrated.importance[..., SIDE // 2 :].any() and integrated.importance[..., left].any()
    # by hand: gradient times distance from the mean colour
    views = video(tmp_path).views(pixels()[None], CPU)[0]
    wanted = (views - views.mean((2, 3, 4), keepdim=True)).sum(1)[0] * 5 / (FRAMES * SIDE * SIDE / 2)
    np.testing.assert_allclose(integrated.importance[..., left], wanted[..., left], rtol=1e-3, atol=1e-7)
    cam = attributed(Mean(left), "grad_cam", video(tmp_path)).importance
    np.testing.assert_allclose(cam, views.sum(1)[0] * 5 / (FRAMES * SIDE * SIDE), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("network", [sta_drn(), plegdf(dropout=0.0)], ids=["one view", "two views"])
def test_integrated_gradients_add_up_to_the_difference_from_one_colour(
    network: nn.Module, tmp_path: Any
) -> None:
    # no padding, on which a share would be lost
    regions = (WHOLE_FRAME, MOUTH) if isinstance(network, PlegdfFglscf) else (WHOLE_FRAME,)
    cut, whole = video(tmp_path, *regions), module(network)
    found = attribute_pixels(whole, "integrated_gradients", pixels(), cut, CPU, FINE)
    views = cut.views(pixels()[None], CPU)
    plain = [view.mean((2, 3, 4), keepdim=True).expand_as(view) for view in views]
    with torch.no_grad():
        difference = (whole(*views) - whole(*plain)).item()
    assert found.missed is not None and abs(found.missed) < 0.05 * abs(difference) + 0.05
    assert found.importance.sum() == pytest.approx(difference + found.missed, abs=1e-3)


def test_sums_go_back_to_the_pixels_that_they_came_from_and_padding_is_lost() -> None:
    wide = Region(top=0.25, bottom=0.5, left=0.0, right=1.0)  # padded above and below
    views = RegionViews((WHOLE_FRAME, wide), (16, 16))
    zero, local = torch.zeros(1, 2, 16, 16), torch.zeros(1, 2, 16, 16)
    local[0, 1, 7, 3] = 2.0
    on_frame = sums_on_frame([zero, local], views, (32, 32))
    assert on_frame.sum().item() == pytest.approx(2.0, rel=1e-5)
    assert not on_frame[0, 0].any()
    rows, columns = np.nonzero(on_frame[0, 1].numpy())
    # view row 7 is row 14 and 15 of the padded region, whose row 12 is row 8 of the frame
    assert rows.min() >= 8 and rows.max() < 16
    assert abs(rows.mean() - 10.5) < 1 and abs(columns.mean() - 6.5) < 1
    local.zero_()[..., :5, :] = 1.0
    assert not sums_on_frame([zero, local], views, (32, 32)).any()


def test_levels_stay_levels_whatever_the_size_of_a_region_and_views_add_up() -> None:
    views = RegionViews((WHOLE_FRAME, MOUTH), (20, 20))
    ones = torch.ones(1, 3, 20, 20)
    on_frame = means_on_frame([ones, 2 * ones], views, (48, 48))[0]
    inside = torch.zeros(48, 48, dtype=torch.bool)
    inside[24:, 12:36] = True
    torch.testing.assert_close(on_frame[:, inside], torch.full((3, 24 * 24), 3.0))
    torch.testing.assert_close(on_frame[:, ~inside], torch.full((3, 48 * 48 - 24 * 24), 1.0))


def test_a_frame_that_is_its_view_keeps_its_values() -> None:
    views = RegionViews((WHOLE_FRAME,), (12, 12))
    values = torch.randn(1, 2, 12, 12, generator=torch.Generator().manual_seed(0))
    for on_frame in (sums_on_frame, means_on_frame):
        assert torch.equal(on_frame([values], views, (12, 12)), values)


def test_the_stage_is_the_last_fine_one_or_the_asked_one(tmp_path: Any) -> None:
    network = sta_drn()  # maps of 8x8 and 4x4
    default, first, second = (
        attributed(network, "attention", video(tmp_path), Settings(stage=stage)).importance
        for stage in (None, 1, 2)
    )
    assert np.array_equal(default, first) and not np.array_equal(default, second)


@pytest.mark.parametrize(
    ("network", "method"),
    [(sta_drn(), "attention"), (sta_drn(), "grad_cam"), (plegdf(plegdf_stages=(1, 2)), "relations")],
)
def test_a_stage_that_is_not_there_is_refused(network: nn.Module, method: str, tmp_path: Any) -> None:
    cut = video(tmp_path, *((WHOLE_FRAME, MOUTH) if method == "relations" else ()))
    with pytest.raises(UserError, match=r"1, 2"):
        attributed(network, method, cut, Settings(stage=3))
