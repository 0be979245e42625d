"""From a corpus to batches on the device."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from depression_vr.data.augmentation import Augmentation, ClipTransform, Normalisation
from depression_vr.data.clips import ClipShape
from depression_vr.data.datasets import (
    ClipBatch,
    ErrorsAsValues,
    EvaluationWindows,
    TrainingClips,
    TrainingOrder,
    collate_clips,
)
from depression_vr.data.manifest import PARTITIONS, Corpus, Manifest
from depression_vr.data.reader import ClipReader, OnBadFrame
from depression_vr.errors import Problem, UserError

Loader = DataLoader[ClipBatch | UserError]


class ClipDataModule(pl.LightningDataModule):
    """Clips of a corpus for Lightning.

    Building it finds and validates the whole corpus; no pixel is read.

    Args:
        corpus: where videos and scores come from.
        clip_length: frames per clip, T.
        frame_step: every how many frames of a video one is kept.
        size: height and width of a clip in pixels; one number for a square.
        batch_size: clips per training batch.
        evaluation_batch_size: windows per evaluation batch.
        num_workers: processes that read frames; changes no pixel.
        normalisation: of the network that the clips are for.
        augmentation: transforms of training clips.
        label_noise: standard deviation of the noise added to a training score, in points.
        drop_last: leave out the last batch of an epoch when it is not full.
        on_bad_frame: ``error`` or ``skip``.
        protocol: ``dev_selected`` trains on training, selects on development and tests once.
        evaluate_on: the partition that the test loop runs over.
        seed: of clip starts, order, augmentation and label noise.

    Raises:
        UserError: everything that is wrong with the corpus, or a protocol or partition that is unknown.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        clip_length: int,
        frame_step: int,
        size: int | Sequence[int],
        batch_size: int,
        evaluation_batch_size: int,
        num_workers: int,
        normalisation: Normalisation,
        augmentation: Sequence[ClipTransform] = (),
        label_noise: float = 0.0,
        drop_last: bool = False,
        on_bad_frame: OnBadFrame = "error",
        protocol: Literal["dev_selected"] = "dev_selected",
        evaluate_on: str = "test",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if protocol != "dev_selected":
            raise UserError(
                f"the protocol {protocol!r} is unknown", where="data.protocol", fix="use dev_selected"
            )
        height, width = (size, size) if isinstance(size, int) else size
        self.shape = ClipShape(clip_length, frame_step, (height, width))
        self.reader = ClipReader(self.shape.size, on_bad_frame)
        self.augmentation = Augmentation(augmentation)
        self.normalisation = normalisation
        self.batch_size = batch_size
        self.evaluation_batch_size = evaluation_batch_size
        self.num_workers = num_workers
        self.label_noise = label_noise
        self.drop_last = drop_last
        self.evaluate_on = evaluate_on
        self.seed = seed
        self.substituted_frames = 0
        self.corpus = corpus
        self.manifest: Manifest = corpus.manifest()
        self.warnings = (*self.manifest.warnings, *self._short_videos())

    def _short_videos(self) -> list[Problem]:
        return [
            Problem(
                video_id,
                f"has {len(folder)} frames, too few for a clip: some repeat",
            )
            for video_id, folder in zip(self.manifest.table["video_id"], self.manifest.folders, strict=True)
            if self.shape.kept(len(folder)) < self.shape.length
        ]

    def _require(self, partition: str) -> None:
        if partition not in PARTITIONS:
            raise UserError(
                f"unknown partition {partition!r}",
                where="config key partition",
                fix=f"use {', '.join(PARTITIONS)}",
            )
        if not len(self.manifest.rows(partition)):
            raise UserError(
                f"the corpus {self.manifest.corpus} has no video in the {partition} partition",
                where="config key data",
                fix="add videos, or use another partition",
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
        """The training videos in the order of each epoch."""
        return TrainingOrder(self.manifest.rows("training"), self.seed)

    def train_dataloader(self) -> Loader:
        """One random clip per training video."""
        return self._loader(self.training_clips(), self.batch_size, self.training_order())

    def val_dataloader(self) -> Loader:
        """Every window of the development partition."""
        return self._loader(self.windows("development"), self.evaluation_batch_size)

    def test_dataloader(self) -> Loader:
        """Every window of the partition ``evaluate_on``."""
        return self._loader(self.windows(self.evaluate_on), self.evaluation_batch_size)

    def _loader(
        self,
        clips: TrainingClips | EvaluationWindows,
        batch_size: int,
        order: TrainingOrder | None = None,
    ) -> Loader:
        return DataLoader(
            ErrorsAsValues(clips),
            batch_size=batch_size,
            sampler=order,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=self.drop_last and order is not None,
            collate_fn=collate_clips,
        )

    def on_before_batch_transfer(self, batch: ClipBatch | UserError, dataloader_idx: int) -> ClipBatch:
        """Count substituted frames; raise what a worker handed over."""
        if isinstance(batch, UserError):
            raise batch
        self.substituted_frames += int(batch.substituted.sum())
        return batch

    def on_after_batch_transfer(self, batch: ClipBatch, dataloader_idx: int) -> ClipBatch:
        """Augment (in training) and normalise on the device."""
        clips = batch.clips.float().div_(255)
        if self.trainer is not None and self.trainer.training:
            clips = self.augmentation(clips, batch.uniforms)
        return batch._replace(clips=self.normalisation(clips))
