"""From a corpus to batches on the device."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, validate_call
from torch.utils.data import DataLoader

from depression_vr.data.augmentation import Augmentation, ClipTransform, Normalisation
from depression_vr.data.clips import ClipShape
from depression_vr.data.datasets import (
    ClipBatch,
    EpochPosition,
    ErrorsAsValues,
    EvaluationOrder,
    EvaluationWindows,
    NetworkBatch,
    TrainingClips,
    TrainingOrder,
    collate_clips,
)
from depression_vr.data.frames import FrameFolder, prevailing_size
from depression_vr.data.lending import PixelMemory
from depression_vr.data.manifest import Corpus, Manifest, Partition
from depression_vr.data.preparation import Preparation
from depression_vr.data.protocol import Protocol, Split
from depression_vr.data.reader import ClipReader, OnBadFrame
from depression_vr.data.regions import WHOLE_FRAME, Region, RegionViews
from depression_vr.data.video_windows import VideoWindows
from depression_vr.data.workers import leave_signals_to_parent
from depression_vr.distributed.gathering import of_all_processes
from depression_vr.errors import Problem, UserError
from depression_vr.keys import Size
from depression_vr.parallel import cores

Loader = DataLoader[ClipBatch | UserError]


class ReadClipKey(NamedTuple):
    """A clip and when it was read: stage, and epoch of the training or steps before the evaluation."""

    stage: str
    moment: int
    video: int
    window: int


class ClipDataModule(pl.LightningDataModule):
    """Clips of a corpus for Lightning.

    Args:
        corpus: where videos and scores come from.
        clip_length: frames per clip, T.
        frame_step: every how many frames of a video one is kept.
        size: height and width in pixels of what the network sees; one number for a square.
        read_at: the resolution at which frames are read: ``size`` resizes them while reading, with PIL's
            filter as the STA-DRN release does; ``own`` keeps what they have, so that regions keep their
            detail, and resizes on the device.
        regions: of the frame; the network gets one view of each.
        batch_size: clips per training batch.
        evaluation_batch_size: windows per evaluation batch.
        num_workers: processes that read frames; changes no pixel.
        normalisation: of the network that the clips are for.
        augmentation: transforms of training clips.
        label_noise: standard deviation of the noise added to a training score, in points.
        drop_last: leave out the last batch of an epoch when it is not full.
        on_bad_frame: ``error`` or ``skip``.
        protocol: what is done with the partitions, as `Split` applies it.
        folds: groups of subjects, for the protocol ``subject_disjoint_kfold``.
        fold: the one of them that is tested, 0..folds-1.
        evaluate_on: the partition that the test loop runs over.
        seed: of clip starts, order, augmentation and label noise.

    Attributes:
        position: where the next training begins; a resumed one in the middle of an epoch.

    Raises:
        pydantic.ValidationError: a setting of a wrong type or out of its range.
        UserError: protocol, folds and fold do not go together.
    """

    @validate_call(config=ConfigDict(arbitrary_types_allowed=True))
    def __init__(
        self,
        corpus: Corpus,
        *,
        clip_length: PositiveInt,
        frame_step: PositiveInt,
        size: Size,
        read_at: Literal["size", "own"] = "size",
        regions: Annotated[Sequence[Region], Field(min_length=1)] = (WHOLE_FRAME,),
        batch_size: PositiveInt,
        evaluation_batch_size: PositiveInt,
        num_workers: NonNegativeInt,
        normalisation: Normalisation,
        augmentation: Sequence[ClipTransform] = (),
        label_noise: NonNegativeFloat = 0.0,
        drop_last: bool = False,
        on_bad_frame: OnBadFrame = "error",
        protocol: Protocol = "dev_selected",
        folds: int = 5,
        fold: NonNegativeInt | None = None,
        evaluate_on: Partition = "test",
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        self.shape = ClipShape(clip_length, frame_step)
        self.views = RegionViews(regions, (height, width))
        self.read_at = read_at
        self.on_bad_frame = on_bad_frame
        self.augmentation = Augmentation(augmentation)
        self.preparation = Preparation(self.augmentation, self.views, normalisation)
        self.batch_size = batch_size
        self.evaluation_batch_size = evaluation_batch_size
        self.num_workers = num_workers
        self.label_noise = label_noise
        self.drop_last = drop_last
        self.evaluate_on = evaluate_on
        self.seed = seed
        self.substituted: dict[ReadClipKey, int] = {}
        self.corpus = corpus
        self.split = Split(protocol, folds, fold)
        self.position = EpochPosition()

    @cached_property
    def manifest(self) -> Manifest:
        """The whole corpus, found and validated at the first look; no pixel is read.

        A video's ``partition`` is its role under the protocol.

        Raises:
            UserError: everything that is wrong with the corpus; or the protocol does not fit it.
        """
        return self.split.applied(self.corpus.manifest())

    @property
    def selects(self) -> bool:
        """Whether there is a development partition to select a checkpoint on."""
        return self.split.selects

    @cached_property
    def reader(self) -> ClipReader:
        """Reads clips, all frames of one resolution: a batch holds clips of several videos."""
        readers = max(self.num_workers, 1) * (self.trainer.num_devices if self.trainer else 1)
        return self._reader(lambda: self.manifest.folders, threads=max(cores() // readers, 1))

    def _reader(self, folders: Callable[[], Sequence[FrameFolder]], threads: int) -> ClipReader:
        size = self.views.size if self.read_at == "size" else prevailing_size(folders())
        return ClipReader(size, self.on_bad_frame, threads)

    def video(self, folder: FrameFolder) -> VideoWindows:
        """The evaluation windows of one video, which need not be of the corpus; read in this process.

        Raises:
            UserError: frames are to be read at their own resolution, and the first one has none.
        """
        reader = self._reader(lambda: [folder], threads=cores())
        return VideoWindows(folder, self.shape, reader, self.preparation)

    @cached_property
    def warnings(self) -> tuple[Problem, ...]:
        """What is suspicious about the corpus."""
        return (*self.manifest.warnings, *self._short_videos())

    def _short_videos(self) -> list[Problem]:
        return [
            Problem(
                video_id,
                f"has {len(folder)} frames, too few for a clip: some repeat",
            )
            for video_id, folder in zip(self.manifest.table["video_id"], self.manifest.folders, strict=True)
            if self.shape.kept(len(folder)) < self.shape.length
        ]

    def require_partitions(self) -> None:
        """Look for videos to train on, to select on and to test, before days of training.

        Raises:
            UserError: there are none, or one is no partition under the protocol; or what `manifest` raises.
        """
        for partition in ("training", *(["development"] if self.selects else []), self.evaluate_on):
            self._require(partition)

    def _require(self, partition: str) -> None:
        if partition == "development" and not self.selects:
            raise UserError(
                f"data.protocol={self.split.protocol} has merged the development partition into training",
                where="config key data.protocol",
                fix="use the test partition, or train with data.protocol=dev_selected",
            )
        if not len(self.manifest.rows(partition)):
            raise UserError(
                f"the corpus {self.manifest.corpus} has no video in the {partition} partition",
                where="config key data",
                fix="add videos; `evaluate` and others take partition=..., and a training can be tested on "
                "another one with +data.evaluate_on=development",
            )

    def training_labels(self) -> torch.Tensor:
        """Scores of the training partition, shape ``(n,)``."""
        self._require("training")
        labels = self.manifest.table["label"].to_numpy(np.float32)
        return torch.from_numpy(labels[self.manifest.rows("training")])

    def windows(self, partition: str) -> EvaluationWindows:
        """The evaluation windows of a partition."""
        self._require(partition)
        return EvaluationWindows(self.manifest, partition, self.shape, self.reader)

    def training_clips(self) -> TrainingClips:
        """One random clip per video and epoch."""
        return TrainingClips(
            self.manifest,
            self.shape,
            self.reader,
            seed=self.seed,
            uniforms=self.augmentation.draws,
            label_noise=self.label_noise,
        )

    def training_order(self) -> TrainingOrder:
        """The training videos of this process in the order of each epoch."""
        return TrainingOrder(
            self.manifest.rows("training"),
            self.seed,
            **self._share(),
            position=self.position,
        )

    def _share(self) -> dict[str, int]:
        """What a sampler has to know of the processes."""
        if self.trainer is None:
            return {"rank": 0, "processes": 1}
        return {"rank": self.trainer.global_rank, "processes": self.trainer.world_size}

    def train_dataloader(self) -> Loader:
        """One random clip per training video.

        Raises:
            UserError: there is not one whole batch of them, and only whole ones are wanted.
        """
        order = self.training_order()
        if self.drop_last and len(order) < self.batch_size:
            raise UserError(
                f"an epoch has no batch: {len(order)} training videos do not fill one",
                where="config keys data.batch_size and data.drop_last",
                fix="use a smaller batch or data.drop_last=false",
            )
        return self._loader(self.training_clips(), self.batch_size, order, drop_last=self.drop_last)

    def val_dataloader(self) -> Loader | list[Loader]:
        """Every window of the development partition; no loader where the protocol has no such partition."""
        if not self.selects:
            return []
        return self.evaluation_loader(self.windows("development"))

    def test_dataloader(self) -> Loader:
        """Every window of the partition ``evaluate_on``."""
        return self.evaluation_loader(self.windows(self.evaluate_on))

    def evaluation_loader(self, windows: EvaluationWindows) -> Loader:
        """The windows in their order, in the batches that an evaluation takes."""
        order = EvaluationOrder(windows, **self._share())
        return self._loader(windows, self.evaluation_batch_size, order, drop_last=False)

    def _loader(
        self,
        clips: TrainingClips | EvaluationWindows,
        batch_size: int,
        order: TrainingOrder | EvaluationOrder,
        *,
        drop_last: bool,
    ) -> Loader:
        return DataLoader(
            ErrorsAsValues(clips),
            batch_size=batch_size,
            sampler=order,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=drop_last,
            collate_fn=partial(collate_clips, memory=PixelMemory()),
            worker_init_fn=leave_signals_to_parent,
            # a loader seeds its workers, which draw nothing; not from the generator that dropout draws from
            generator=torch.Generator(),
        )

    def on_before_batch_transfer(self, batch: ClipBatch | UserError, dataloader_idx: int) -> ClipBatch:
        """Count substituted frames; raise what a worker handed over."""
        if isinstance(batch, UserError):
            raise batch
        self._count(batch)
        return batch

    def _count(self, batch: ClipBatch) -> None:
        stage, moment = "", 0
        if self.trainer is not None:
            stage = str(self.trainer.state.stage)
            moment = self.trainer.current_epoch if self.trainer.training else self.trainer.global_step
        for video, window, frames in zip(batch.video, batch.window, batch.substituted, strict=True):
            if frames:
                self.substituted[ReadClipKey(stage, moment, int(video), int(window))] = int(frames)

    def substituted_frames(self) -> int:
        """Frames substituted so far, in all processes; a clip that several have read counts once."""
        clips = {clip: frames for read in of_all_processes(self.substituted) for clip, frames in read.items()}
        return sum(clips.values())

    def on_after_batch_transfer(self, batch: ClipBatch, dataloader_idx: int) -> NetworkBatch:
        """Augment (in training), cut to the network's views and normalise, all on the device."""
        training = self.trainer is not None and self.trainer.training
        views = self.preparation(batch.clips, batch.uniforms if training else None)
        return NetworkBatch(views, batch.score, batch.video, batch.window)
