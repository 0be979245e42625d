"""Clips for training and windows for evaluation, as PyTorch datasets."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler, default_collate

from depression_vr.data.clips import ClipShape, Window, clip_frames, evaluation_windows, training_start
from depression_vr.data.lending import PixelMemory
from depression_vr.data.manifest import Manifest
from depression_vr.data.randomness import Draw, generator
from depression_vr.data.reader import ClipReader, ReadClip
from depression_vr.errors import UserError


class ClipBatch(NamedTuple):
    """Clips and what they are keyed by. A dataset gives one clip; collated, B is the first dimension.

    Attributes:
        clips: ``(B, T, 3, H, W)``, uint8 0..255; colours last in memory.
        score: ``(B,)``, what training aims at; with label noise where the recipe adds it.
        video: ``(B,)``, row of the manifest.
        window: ``(B,)``, number of the window within the video.
        uniforms: ``(B, n)``, numbers in [0, 1) for the augmentation; n = 0 in evaluation.
        substituted: ``(B,)``, unreadable frames that a neighbour stands for.
    """

    clips: Tensor
    score: Tensor
    video: Tensor
    window: Tensor
    uniforms: Tensor
    substituted: Tensor


class NetworkBatch(NamedTuple):
    """What a network sees of a batch, on the device, and what its scores are keyed by.

    Attributes:
        views: ``(B, 3, T, H, W)`` float, normalised; one per region of the face that the network takes.
        score: ``(B,)``, as in `ClipBatch`.
        video: ``(B,)``, row of the manifest.
        window: ``(B,)``, number of the window within the video.
    """

    views: tuple[Tensor, ...]
    score: Tensor
    video: Tensor
    window: Tensor


class EpochVideo(NamedTuple):
    """Key of a training clip."""

    epoch: int
    video: int


class EpochPosition(NamedTuple):
    """How far training has come.

    Attributes:
        epoch: the epoch that is under way.
        clips: how many of its clips each process has been trained on.
    """

    epoch: int = 0
    clips: int = 0


class TrainingOrder(DistributedSampler[EpochVideo]):
    """Every training video once per epoch, in an order drawn from (seed, epoch).

    Lightning calls `set_epoch`; the epoch travels with the key, so that workers know it too. Of several
    processes each takes every n-th video of that order: their batches together are the batch that one
    process would take. So that all have the same number, the first videos of the order may come twice.

    Being a `DistributedSampler`, it is left as it is by Lightning.

    Args:
        videos: rows of the manifest.
        seed: of the run.
        rank: of this process.
        processes: how many there are.
        position: where the first epoch begins; later ones begin at their beginning.
    """

    def __init__(
        self,
        videos: np.ndarray,
        seed: int,
        *,
        rank: int = 0,
        processes: int = 1,
        position: EpochPosition | None = None,
    ) -> None:
        super().__init__(videos, num_replicas=processes, rank=rank, seed=seed)  # type: ignore[arg-type]
        self.videos = videos
        self.position = EpochPosition() if position is None else position
        self.epoch = self.position.epoch

    def __iter__(self) -> Iterator[EpochVideo]:
        order = generator(self.seed, self.epoch, "", Draw.ORDER).permutation(self.videos)
        own = np.resize(order, self.total_size)[self.rank :: self.num_replicas]
        done = self.position.clips if self.epoch == self.position.epoch else 0
        return map(partial(EpochVideo, self.epoch), map(int, own[done:]))

    def __len__(self) -> int:
        """Videos of a whole epoch, for this process."""
        return self.num_samples


class TrainingClips(Dataset[ClipBatch]):
    """One random clip per video and epoch.

    Args:
        manifest: of the corpus.
        shape: how clips are cut.
        reader: reads frames.
        seed: of the run.
        uniforms: how many random numbers the augmentation takes per clip.
        label_noise: standard deviation of the Gaussian noise added to the score, in points.
    """

    def __init__(
        self,
        manifest: Manifest,
        shape: ClipShape,
        reader: ClipReader,
        *,
        seed: int,
        uniforms: int,
        label_noise: float = 0.0,
    ) -> None:
        self.folders = manifest.folders
        self.video_ids = manifest.table["video_id"].tolist()
        self.labels = manifest.table["label"].to_numpy(np.float32)
        self.shape = shape
        self.reader = reader
        self.seed = seed
        self.uniforms = uniforms
        self.label_noise = label_noise

    def __len__(self) -> int:
        """Videos of the whole corpus: any of them may be a key."""
        return len(self.folders)

    def clip(self, key: EpochVideo) -> Window:
        """Which frames make the clip of a video in an epoch."""
        frames = len(self.folders[key.video])
        start = training_start(frames, self.shape, self._generator(key, Draw.CLIP_START))
        return Window(key.video, 0, clip_frames(frames, start, self.shape))

    def __getitem__(self, key: EpochVideo) -> ClipBatch:
        video, window, frames = self.clip(key)
        read = self.reader.read(self.folders[video], frames)
        noise = self.label_noise * self._generator(key, Draw.LABEL_NOISE).standard_normal()
        uniforms = self._generator(key, Draw.AUGMENTATION).random(self.uniforms, np.float32)
        return ClipBatch(
            clips=read.pixels,
            score=torch.tensor(self.labels[video] + noise, dtype=torch.float32),
            video=torch.tensor(video),
            window=torch.tensor(window),
            uniforms=torch.from_numpy(uniforms),
            substituted=torch.tensor(read.substituted),
        )

    def _generator(self, key: EpochVideo, draw: Draw) -> np.random.Generator:
        return generator(self.seed, key.epoch, self.video_ids[key.video], draw)


class EvaluationWindows(Dataset[ClipBatch]):
    """Every window of every video of one partition.

    Args:
        manifest: of the corpus.
        partition: which videos.
        shape: how clips are cut.
        reader: reads frames.
    """

    def __init__(self, manifest: Manifest, partition: str, shape: ClipShape, reader: ClipReader) -> None:
        videos = manifest.rows(partition)
        frames = np.array([len(manifest.folders[video]) for video in videos], np.int64)
        self.folders = manifest.folders
        self.labels = manifest.table["label"].to_numpy(np.float32)
        self.index = evaluation_windows(videos, frames, shape)
        self.shape = shape
        self.reader = reader

    def __len__(self) -> int:
        return len(self.index)

    def window(self, place: int) -> Window:
        """Which frames make the window at this place."""
        video, window, start = map(int, self.index.at(place))
        return Window(video, window, clip_frames(len(self.folders[video]), start, self.shape))

    def read(self, video: int, frames: np.ndarray) -> ReadClip:
        """Pixels of frames of a video, by row of the manifest.

        Raises:
            UserError: a frame cannot be read.
        """
        return self.reader.read(self.folders[video], frames)

    def __getitem__(self, place: int) -> ClipBatch:
        video, window, frames = self.window(place)
        read = self.read(video, frames)
        return ClipBatch(
            clips=read.pixels,
            score=torch.tensor(self.labels[video]),
            video=torch.tensor(video),
            window=torch.tensor(window),
            uniforms=torch.empty(0),
            substituted=torch.tensor(read.substituted),
        )


class EvaluationOrder(DistributedSampler[int]):
    """The windows of a partition in their order, of which each of several processes takes every n-th.

    So that all have the same number, the first windows may come twice. The base class gives the same places,
    but lists those of all processes first: gigabytes, for a million videos.

    Args:
        windows: of a partition.
        rank: of this process.
        processes: how many there are.
    """

    def __init__(self, windows: EvaluationWindows, *, rank: int = 0, processes: int = 1) -> None:
        super().__init__(windows, num_replicas=processes, rank=rank, shuffle=False)
        self.windows = len(windows)

    def __iter__(self) -> Iterator[int]:
        return (place % self.windows for place in range(self.rank, self.total_size, self.num_replicas))


class ErrorsAsValues(Dataset[ClipBatch | UserError]):
    """Hands a UserError over as a value: a DataLoader worker would bury it in a traceback."""

    def __init__(self, clips: TrainingClips | EvaluationWindows) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: EpochVideo | int) -> ClipBatch | UserError:
        try:
            return self.clips[key]  # type: ignore[index]
        except UserError as error:
            return error


def collate_clips(clips: Sequence[ClipBatch | UserError], memory: PixelMemory) -> ClipBatch | UserError:
    """Stack clips to a batch, or hand on the first error.

    In a worker the batch's ``clips`` are no tensor yet: see `PixelMemory.stack`.
    """
    read = []
    for clip in clips:
        if isinstance(clip, UserError):
            return clip
        read.append(clip)
    pixels = memory.stack([clip.clips for clip in read])
    return ClipBatch(pixels, *default_collate([clip[1:] for clip in read]))
