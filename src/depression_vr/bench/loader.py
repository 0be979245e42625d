"""Rows about the loader: training clips per second, ready for the network, from one worker process."""

import os
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ColorJitter
from torchvision.transforms import functional as pil

from depression_vr.bench import limits
from depression_vr.bench.films import Film
from depression_vr.bench.rows import Bound, Goal, Measure, Row, per_second
from depression_vr.data.augmentation import ColourJitter, HorizontalFlip, Normalisation
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.table import CsvTable
from depression_vr.memory import freed_memory_kept

_RATE = "clips/s"
_SPARE = 16  # frames by which a video is longer than a clip
_JPEG_QUALITY = 95
_FACE = 0.6  # of the frame's width
_JITTER = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.2}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Side = Annotated[int, Field(ge=16, multiple_of=2)]


@dataclass(frozen=True)
class LoaderBenchmark:
    """Random clips out of folders of JPEG files in memory: decoded, jittered, mirrored and normalised.

    Both sides have one worker process. Ours decodes with a thread per core, as a training with one worker
    does, and hands on bytes, which this process augments with one thread. The baseline does everything in the
    worker, with one thread, as its kind does. The bound is decoding alone on one core.

    Attributes:
        size: side of the clips, pixels.
        larger: side of frames that are resized to that, pixels.
        clip_length: frames per clip.
        batch_size: clips.
        videos: of a generated face, of each of which ours takes a clip in a repetition.
        baseline_videos: of which the baseline does.
    """

    size: Side = 224
    larger: Side = 256
    clip_length: PositiveInt = 64
    batch_size: PositiveInt = 5
    videos: PositiveInt = 120
    baseline_videos: PositiveInt = 10

    def rows(self, folder: Path) -> Sequence[Row]:
        """Write the frames and let the workers begin."""
        return [self._row(side, folder / str(side)) for side in (self.size, self.larger)]

    def _row(self, side: int, folder: Path) -> Row:
        table = _write_corpus(folder, side, self.videos, self.clip_length + _SPARE)
        ours = _Ours(table, self.size, self.clip_length, self.batch_size)
        videos = [sorted(video.iterdir()) for video in sorted(folder.glob("video_*"))[: self.baseline_videos]]
        baseline = _Baseline(videos, self.size, self.clip_length, self.batch_size)
        resized = f", resized to {self.size}x{self.size}" if side != self.size else ""
        what = f"clips of {self.clip_length} frames of {side}x{side}{resized}; 1 worker process"
        threads = f"which decodes with {ours.clips.reader.threads} threads"
        pixels = (side / limits.FACE_SIDE) ** 2  # of a frame, in those of the limit's
        return Row(
            f"loader {side}",
            Measure(f"training {what}, {threads}", _RATE, partial(per_second, ours)),
            Measure(
                f"PIL and torchvision's jitter frame by frame: {what}, 1 thread",
                _RATE,
                partial(per_second, baseline),
            ),
            Goal("ratio", least=10),
            Bound(limits.JPEG, self.clip_length * pixels),
        )


def _write_corpus(folder: Path, side: int, videos: int, frames: int) -> Path:
    """The table of a corpus whose videos are the same files."""
    first, *others = [folder / f"video_{video:03d}" for video in range(videos)]
    first.mkdir(parents=True)
    for number, face in enumerate(_faces(side, frames), start=1):
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        cv2.imwrite(str(first / f"frame_{number:06d}.jpg"), cv2.cvtColor(face, cv2.COLOR_RGB2BGR), options)
    for other in others:
        shutil.copytree(first, other, copy_function=os.link)
    table = folder / "videos.csv"
    names = (path.name for path in (first, *others))
    table.write_text("path,label,partition\n" + "".join(f"{name},7,training\n" for name in names))
    return table


def _faces(side: int, frames: int) -> Iterator[np.ndarray]:
    """A face as preprocessing cuts it out of a larger picture, whose noise it smooths."""
    for picture in Film(2 * side, 2 * side, face=2 * _FACE * side, frames=frames).pictures():
        yield cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


class _Ours:
    """An epoch out of the datamodule."""

    def __init__(self, table: Path, size: int, clip_length: int, batch_size: int) -> None:
        self.clips = ClipDataModule(
            CsvTable(table),
            clip_length=clip_length,
            frame_step=1,
            size=size,
            batch_size=batch_size,
            evaluation_batch_size=batch_size,
            num_workers=1,
            normalisation=Normalisation(_MEAN, _STD),
            augmentation=(ColourJitter(**_JITTER), HorizontalFlip(0.5)),
        )
        trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
        trainer.training = True
        self.clips.trainer = trainer
        self.loader = self.clips.train_dataloader()
        self()

    def __call__(self) -> int:
        """Returns the number of clips."""
        delivered = 0
        with freed_memory_kept(), _one_thread():
            for batch in self.loader:
                read = self.clips.on_before_batch_transfer(batch, 0)
                (view,) = self.clips.on_after_batch_transfer(read, 0).views
                delivered += len(view)
        return delivered


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Baseline(Dataset[Tensor]):
    """The field's published loaders: every frame by itself, through PIL, in the worker."""

    def __init__(
        self, videos: Sequence[Sequence[Path]], size: int, clip_length: int, batch_size: int
    ) -> None:
        self.videos = videos
        self.size = size
        self.clip_length = clip_length
        self.loader = DataLoader(self, batch_size, shuffle=True, num_workers=1, persistent_workers=True)
        self()

    def __call__(self) -> int:
        """Returns the number of clips."""
        return sum(len(clips) for clips in self.loader)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, video: int) -> Tensor:
        """A random clip, ``(3, T, H, W)``."""
        paths = self.videos[video]
        start = random.randrange(len(paths) - self.clip_length + 1)
        jitter = ColorJitter(**_JITTER)
        order, *factors = jitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
        adjust = (pil.adjust_brightness, pil.adjust_contrast, pil.adjust_saturation, pil.adjust_hue)
        mirrored = random.random() < 0.5
        frames = []
        for path in paths[start : start + self.clip_length]:
            frame: Any = (
                Image.open(path).convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC)
            )
            for number in order:
                frame = adjust[number](frame, factors[number])
            frames.append(pil.to_tensor(pil.hflip(frame) if mirrored else frame))
        return pil.normalize(torch.stack(frames), _MEAN, _STD).transpose(0, 1)
