"""From files to batches: the same pixels whatever the workers, and errors that name the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pydantic import ValidationError

from depression_vr.data.augmentation import ColourJitter, HorizontalFlip, Normalisation
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.datasets import ClipBatch, NetworkBatch
from depression_vr.data.table import CsvTable
from depression_vr.errors import UserError


def clips_of(table: Path, **settings: Any) -> ClipDataModule:
    defaults: dict[str, Any] = {
        "clip_length": 8,
        "frame_step": 2,
        "size": (16, 18),
        "batch_size": 3,
        "evaluation_batch_size": 3,
        "num_workers": 0,
        "normalisation": Normalisation([0.5] * 3, [0.25] * 3),
        "augmentation": (ColourJitter(0.2, 0.2, 0.2, 0.2), HorizontalFlip(0.5)),
        "label_noise": 1.0,
        "seed": 3,
    }
    return ClipDataModule(CsvTable(table), **(defaults | settings))


class Epoch(NamedTuple):
    """All clips of one epoch in their order: what the network sees, and what the augmentation drew."""

    view: torch.Tensor
    score: torch.Tensor
    video: torch.Tensor
    window: torch.Tensor
    uniforms: torch.Tensor


def training_epoch(clips: ClipDataModule, epoch: int) -> Epoch:
    """All training clips of one epoch, of a network that sees the whole frame."""
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.training = True
    clips.trainer = trainer
    loader = clips.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    batches = []
    for read in loader:
        (view,), *keys = on_device(clips, read)
        batches.append((view, *keys, read.uniforms))
    return Epoch(*(torch.cat(column) for column in zip(*batches, strict=True)))


def on_device(clips: ClipDataModule, batch: ClipBatch | UserError) -> NetworkBatch:
    return clips.on_after_batch_transfer(clips.on_before_batch_transfer(batch, 0), 0)


def evaluated(clips: ClipDataModule) -> Iterator[NetworkBatch]:
    clips.trainer = None
    return (on_device(clips, batch) for batch in clips.test_dataloader())


def test_processes_share_the_windows_of_an_evaluation(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus)
    trainer = pl.Trainer(
        logger=False, enable_checkpointing=False, accelerator="cpu", devices=2, strategy="ddp"
    )
    clips.trainer = trainer
    assert trainer.world_size == 2
    mine = list(clips.test_dataloader().sampler)
    assert mine == list(range(0, len(clips.windows("test")), 2))[: len(mine)]
    assert 0 < len(mine) < len(clips.windows("test"))


def test_workers_change_no_pixel_and_no_label(csv_corpus: Path) -> None:
    alone = training_epoch(clips_of(csv_corpus, num_workers=0), epoch=1)
    together = training_epoch(clips_of(csv_corpus, num_workers=2), epoch=1)
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one, other)


def test_a_worker_uses_its_shared_memory_again(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus, num_workers=1, evaluation_batch_size=1)
    clips.trainer = None
    loader = clips.test_dataloader()
    files = [file_that_shows_at(batch.clips.data_ptr()) for _ in range(3) for batch in loader]
    assert len(set(files)) < len(files) == 3 * len(loader)


def file_that_shows_at(address: int) -> str:
    """The number of a file that a process has as memory."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, _, _, number, *_ = line.split()
        first, end = (int(each, 16) for each in span.split("-"))
        if first <= address < end:
            return number
    raise AssertionError(f"{address} is no memory")


def test_the_batch_size_changes_no_clip(csv_corpus: Path) -> None:
    small = training_epoch(clips_of(csv_corpus, batch_size=1), epoch=1)
    large = training_epoch(clips_of(csv_corpus, batch_size=4), epoch=1)
    for one, other in zip(small, large, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_every_training_video_comes_once_per_epoch_with_new_draws(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus)
    first, second = training_epoch(clips, 0), training_epoch(clips, 1)
    assert sorted(first.video.tolist()) == sorted(second.video.tolist()) == [0, 1, 2, 3]
    assert not torch.equal(first.uniforms, second.uniforms)
    assert not torch.equal(first.score.sort().values, second.score.sort().values)


def test_another_seed_draws_anew(csv_corpus: Path) -> None:
    first, second = (training_epoch(clips_of(csv_corpus, seed=seed), 0) for seed in (0, 1))
    assert not torch.equal(first.uniforms, second.uniforms)


def test_evaluation_gives_every_window_unchanged_in_order(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus)
    batches = list(evaluated(clips))
    keys = [key for b in batches for key in zip(b.video.tolist(), b.window.tolist(), strict=True)]
    windows = clips.windows("test")
    assert keys == [windows.window(place)[:2] for place in range(len(windows))]
    video, _, frames = windows.window(1)
    path = clips.manifest.folders[video].frame_path(frames[3])
    with Image.open(path) as image:
        pixels = np.asarray(image.resize((18, 16), Image.Resampling.BICUBIC))
    expected = (torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255 - 0.5) / 0.25
    two_grey_levels = 2 / 255 / 0.25  # by which PyTorch's bicubic filter may differ from PIL's
    torch.testing.assert_close(batches[0].views[0][1, :, 3], expected, rtol=0, atol=two_grey_levels + 1e-5)


def test_folders_are_listed_once(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus)
    (Path(clips.manifest.folders[0].path) / "frame_999999.jpg").write_bytes(b"not even an image")
    assert len(training_epoch(clips, 0).video) == 4


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("damage", ["truncated", "missing", "text"])
def test_a_bad_frame_stops_with_its_name(csv_corpus: Path, workers: int, damage: str) -> None:
    clips = clips_of(csv_corpus, num_workers=workers)
    path = spoil(clips, damage)
    with pytest.raises(UserError) as caught:
        list(evaluated(clips))
    assert caught.value.where == str(path)
    assert "data.on_bad_frame=skip" in caught.value.fix


@pytest.mark.parametrize("damage", ["truncated", "missing", "text", "bomb"])
def test_a_bad_frame_is_replaced_by_its_neighbour_and_counted(csv_corpus: Path, damage: str) -> None:
    clips = clips_of(csv_corpus, on_bad_frame="skip", clip_length=16, frame_step=1)
    whole = next(evaluated(clips)).views[0][0]
    assert clips.substituted_frames() == 0
    spoil(clips, damage)
    replaced = next(evaluated(clips)).views[0][0]
    neighbour = [0, 1, 2, 3, 3, *range(5, 16)]  # frame 4, of a video of 31, is unreadable
    assert torch.equal(replaced, whole[:, neighbour])
    assert clips.substituted_frames() == 1


def spoil(clips: ClipDataModule, damage: str) -> Path:
    """Make frame 4 of the first test video unreadable."""
    path = clips.manifest.folders[int(clips.manifest.rows("test")[0])].frame_path(4)
    if damage == "missing":
        path.unlink()
    elif damage == "bomb":  # a damaged header of BMP, as OpenFace writes: too many pixels to be true
        with Image.open(path) as image:
            image.save(path, format="BMP")
        content = bytearray(path.read_bytes())
        content[18:26] = (50_000).to_bytes(4, "little") * 2
        path.write_bytes(content)
    else:
        path.write_bytes(path.read_bytes()[:-200] if damage == "truncated" else b"no picture")
    return path


def test_a_video_without_a_readable_frame_is_named_even_when_skipping(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus, on_bad_frame="skip")
    folder = clips.manifest.folders[int(clips.manifest.rows("test")[0])]
    for frame in range(len(folder)):
        folder.frame_path(frame).write_bytes(b"")
    with pytest.raises(UserError, match="none of the video's frames") as caught:
        list(evaluated(clips))
    assert caught.value.where == str(folder.path)


def test_grey_and_palette_frames_become_rgb(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus, frame_step=1)
    folder = clips.manifest.folders[int(clips.manifest.rows("test")[0])]
    for frame, mode in ((0, "L"), (1, "P"), (2, "RGBA")):
        Image.new(mode, (9, 9), 3).save(folder.frame_path(frame), format="PNG")
    assert next(evaluated(clips)).views[0].shape[1] == 3


def test_short_videos_are_warned_about(csv_corpus: Path) -> None:
    clips = clips_of(csv_corpus, clip_length=8, frame_step=2)
    assert [warning.where for warning in clips.warnings] == [
        "301_1_Freeform",
        "301_1_Northwind",
        "304_1_Northwind",
        "305_1_Northwind",
    ]


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"protocol": "mine"}, "protocol"),
        ({"evaluate_on": "all"}, "evaluate_on"),
        ({"on_bad_frame": "ignore"}, "on_bad_frame"),
        ({"clip_length": 0}, "clip_length"),
        ({"batch_size": "many"}, "batch_size"),
        ({"size": (16, 0)}, "size"),
    ],
)
def test_unknown_settings_name_their_key(csv_corpus: Path, settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        clips_of(csv_corpus, **settings)


def test_an_epoch_without_a_whole_batch_is_refused(csv_corpus: Path) -> None:
    with pytest.raises(UserError, match="4 training videos do not fill one"):
        clips_of(csv_corpus, batch_size=5, drop_last=True).train_dataloader()


def test_a_partition_without_videos_is_refused(csv_corpus: Path) -> None:
    rows = [line for line in csv_corpus.read_text().splitlines() if ",development," not in line]
    csv_corpus.write_text("\n".join(rows) + "\n")
    clips = clips_of(csv_corpus)
    with pytest.raises(UserError, match="no video in the development partition"):
        clips.val_dataloader()
