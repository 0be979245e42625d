"""Regions of the face are cut where they are said to be, and views keep proportions and detail."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from depression_vr.building import build
from depression_vr.data.augmentation import Normalisation
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.datasets import NetworkBatch
from depression_vr.data.regions import WHOLE_FRAME, Region, RegionViews
from depression_vr.data.table import CsvTable

ROOT = Path(__file__).parents[2]


def configured() -> list[Region]:
    """The regions that PLEGDF-FGLSCF looks at: the face, and eyes to mouth."""
    return build(OmegaConf.load(ROOT / "conf" / "model" / "plegdf_fglscf.yaml").input.regions)


def numbered(height: int, width: int) -> Tensor:
    """A clip of two frames whose pixels tell row and column, ``(1, 2, 3, H, W)``."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, rows + columns]).expand(1, 2, 3, height, width)


@pytest.mark.parametrize(
    ("size", "rows", "columns"), [(256, (53, 181), (55, 215)), (128, (26, 90), (28, 108))]
)
def test_eyes_to_mouth_are_the_stated_pixels(
    size: int, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    face, region = configured()
    frames = numbered(size, size)
    assert torch.equal(face.cut(frames), frames)
    assert torch.equal(region.cut(frames), frames[..., slice(*rows), slice(*columns)])


def test_a_region_of_less_than_a_pixel_is_a_pixel() -> None:
    frames = numbered(4, 6)
    assert torch.equal(Region(top=0.99).cut(frames), frames[..., 3:, :])
    assert torch.equal(Region(left=0.5, right=0.51).cut(frames), frames[..., 3:4])


@pytest.mark.parametrize(
    "edges",
    [
        {"top": 0.5, "bottom": 0.5},
        {"top": 0.6, "bottom": 0.5},
        {"left": 1.0},
        {"right": 0.0},
        {"top": -0.1},
        {"bottom": 1.01},
        {"right": 215.0},
        {"left": float("nan")},
    ],
    ids=str,
)
def test_fractions_that_are_no_part_of_a_frame_are_refused(edges: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no part of a frame"):
        Region(**edges)


def test_a_view_that_has_the_size_is_not_resized() -> None:
    frames = torch.rand(2, 3, 3, 8, 12)
    right = Region(left=0.5)
    assert torch.equal(RegionViews([WHOLE_FRAME], (8, 12))(frames)[0], frames)
    assert torch.equal(RegionViews([right], (8, 6))(frames)[0], frames[..., 6:])


@pytest.mark.parametrize(
    ("cut", "size", "rows", "columns"),
    [
        ((4, 6), (6, 6), (1, 1), (0, 0)),
        ((6, 3), (6, 6), (0, 0), (1, 2)),  # the odd one at the end
        ((3, 6), (6, 6), (1, 2), (0, 0)),
        ((4, 4), (4, 8), (0, 0), (2, 2)),
        ((2, 8), (4, 8), (1, 1), (0, 0)),
    ],
    ids=str,
)
def test_black_fills_up_to_the_proportions_of_the_view(
    cut: tuple[int, int], size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    frames = torch.rand(1, 2, 3, *cut) + 0.1
    (view,) = RegionViews([WHOLE_FRAME], size)(frames)
    expected = torch.zeros(1, 2, 3, *size)
    expected[..., rows[0] : size[0] - rows[1], columns[0] : size[1] - columns[1]] = frames
    assert torch.equal(view, expected)


def test_eyes_to_mouth_lie_between_black_rows_in_the_view() -> None:
    # 128 rows of 160 columns: 16 rows of black above and below, then 160 pixels become 128
    (view,) = RegionViews(configured()[1:], (128, 128))(torch.ones(1, 2, 3, 256, 256))
    assert view.shape == (1, 2, 3, 128, 128)
    assert view[..., :12, :].max() == 0
    assert view[..., -12:, :].max() == 0
    torch.testing.assert_close(view[..., 14:-14, :], torch.ones(1, 2, 3, 100, 128))


@pytest.mark.parametrize("size", [(32, 32), (96, 96), (48, 32)], ids=str)
def test_proportions_are_kept(size: tuple[int, int]) -> None:
    frames = torch.zeros(1, 1, 3, 64, 64)
    frames[..., 24:40, 28:44] = 1  # a square, in a region of 1:2
    (view,) = RegionViews([Region(top=0.25, bottom=0.75)], size)(frames)
    bright = view[0, 0, 0] > 0.5
    height, width = bright.any(1).sum().item(), bright.any(0).sum().item()
    scale = min(size[0] / 32, size[1] / 64)
    assert height == width == round(16 * scale)


def test_every_region_has_its_view_in_order() -> None:
    frames = numbered(8, 8).float()
    left, whole = RegionViews([Region(right=0.5, bottom=0.5), WHOLE_FRAME], (4, 4))(frames)
    assert torch.equal(left, frames[..., :4, :4])
    assert whole[..., -1, -1].min() > 4


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Test videos of frames of 256, 256 and 128 pixels with fine stripes between eyes and mouth."""
    lines = ["path,label,partition"]
    for name, side in (("a", 128), ("b", 256), ("c", 256)):
        folder = tmp_path / "corpus" / name
        folder.mkdir(parents=True)
        for frame in range(4):
            pixels = np.full((side, side, 3), 60 + 20 * frame, np.uint8)
            pixels[side // 4 : side // 2, side // 3 : side * 2 // 3 : 4] = 255
            pixels[side // 4 : side // 2, side // 3 + 1 : side * 2 // 3 : 4] = 255
            Image.fromarray(pixels).save(folder / f"frame_{frame:06d}.jpg", quality=95)
        lines.append(f"{name},7,test")
    table = tmp_path / "corpus" / "videos.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def clips_of(table: Path, **settings: Any) -> ClipDataModule:
    defaults: dict[str, Any] = {
        "clip_length": 4,
        "frame_step": 1,
        "size": 128,
        "regions": configured(),
        "batch_size": 3,
        "evaluation_batch_size": 3,
        "num_workers": 0,
        "normalisation": Normalisation([0.0] * 3, [1.0] * 3),
    }
    return ClipDataModule(CsvTable(table), **(defaults | settings))


def views_of(clips: ClipDataModule) -> tuple[Tensor, ...]:
    """Views ``(3, 3, 4, 128, 128)`` of every test video, on the scale 0..1."""
    clips.trainer = None
    (batch,) = clips.test_dataloader()
    return on_device(clips, batch).views


def on_device(clips: ClipDataModule, batch: Any) -> NetworkBatch:
    return clips.on_after_batch_transfer(clips.on_before_batch_transfer(batch, 0), 0)


def test_frames_are_read_at_their_own_resolution_or_at_the_size(faces: Path) -> None:
    (own,) = clips_of(faces, read_at="own").test_dataloader()
    (resized,) = clips_of(faces, read_at="size").test_dataloader()
    assert own.clips.shape == (3, 4, 3, 256, 256)  # what two of three videos have
    assert resized.clips.shape == (3, 4, 3, 128, 128)


def test_the_larger_of_two_equally_frequent_resolutions_prevails(faces: Path) -> None:
    faces.write_text("\n".join(faces.read_text().splitlines()[:-1]) + "\n")
    assert clips_of(faces, read_at="own").reader.size == (256, 256)


def test_a_region_has_more_detail_where_frames_keep_their_resolution(faces: Path) -> None:
    own_face, own_region = views_of(clips_of(faces, read_at="own"))
    face, region = views_of(clips_of(faces, read_at="size"))
    assert own_face.shape == own_region.shape == face.shape == region.shape == (3, 3, 4, 128, 128)
    # the clips of 256x256: stripes of two pixels stay in the region, and are fused in resized faces
    assert contrast(own_region) > 2 * contrast(region)
    assert (own_face[1:] - face[1:]).abs().mean() < 0.02


def contrast(view: Tensor) -> float:
    """Between neighbouring columns in the middle of the clips of 256x256."""
    return view[1:, :, :, 40:60, 40:80].diff(dim=-1).abs().mean().item()


def test_both_views_come_from_one_read_of_the_frames(faces: Path) -> None:
    clips = clips_of(faces, read_at="own")
    clips.trainer = None
    (batch,) = clips.test_dataloader()
    shutil.rmtree(faces.parent)
    face, region = on_device(clips, batch).views
    (expected,) = RegionViews(configured()[1:], (128, 128))(batch.clips.float() / 255)
    torch.testing.assert_close(region, expected.transpose(1, 2))
    assert not torch.equal(face, region)
