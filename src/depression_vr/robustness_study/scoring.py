"""Runs a trained network over degraded windows, otherwise as `evaluate` does."""

import numpy as np
import pandas as pd
import torch

from depression_vr.data.clips import ClipShape
from depression_vr.data.datasets import EvaluationWindows
from depression_vr.data.manifest import Manifest
from depression_vr.data.reader import ClipReader, ReadClip
from depression_vr.degradation.base import Degradation, DegradedVideo
from depression_vr.parallel import Tick
from depression_vr.runs.results import video_table
from depression_vr.trained import TrainedNetwork


class DegradedWindows(EvaluationWindows):
    """Every window of every video of one partition, with degraded frames.

    Args:
        manifest: of the corpus.
        partition: which videos.
        shape: how clips are cut.
        reader: reads frames.
        degradation: of the frames.
        seed: of everything random.
    """

    def __init__(
        self,
        manifest: Manifest,
        partition: str,
        shape: ClipShape,
        reader: ClipReader,
        *,
        degradation: Degradation,
        seed: int,
    ) -> None:
        super().__init__(manifest, partition, shape, reader)
        self.video_ids = manifest.table["video_id"].tolist()
        self.degradation = degradation
        self.seed = seed

    def read(self, video: int, frames: np.ndarray) -> ReadClip:
        """Pixels of the frames that are shown in the place of frames, degraded."""
        source = DegradedVideo(self.video_ids[video], len(self.folders[video]), self.shape.step, self.seed)
        shown = self.degradation.shown(frames, source)
        read = super().read(video, shown)
        # the reader keeps what it has read, so nothing is changed in place
        degraded = self.degradation.degraded(read.pixels.permute(0, 2, 3, 1).numpy(), shown, source)
        return read._replace(pixels=torch.from_numpy(degraded).permute(0, 3, 1, 2))


def score_degraded(
    trained: TrainedNetwork, degradation: Degradation | None, *, seed: int, tick: Tick
) -> pd.DataFrame:
    """Scores of the videos of the partition that the datamodule evaluates on.

    Args:
        trained: the network.
        degradation: of the frames; None for frames as they are.
        seed: of everything random.
        tick: called for every window.

    Returns:
        As `video_table` gives it, and ``substituted_frames``: how many unreadable frames of the video's
        windows a neighbour stands for.

    Raises:
        UserError: a frame cannot be read, or what became of the evaluation.
    """
    datamodule = trained.datamodule
    windows = datamodule.windows(datamodule.evaluate_on)
    if degradation is not None:
        windows = DegradedWindows(
            datamodule.manifest,
            datamodule.evaluate_on,
            datamodule.shape,
            datamodule.reader,
            degradation=degradation,
            seed=seed,
        )
    rows: list[tuple[int, float, int]] = []
    with trained.evaluating():
        for read in datamodule.evaluation_loader(windows):
            batch = datamodule.on_before_batch_transfer(read, 0)
            columns = (batch.video, trained.scores(batch.clips).double(), batch.substituted)
            rows += zip(*(column.tolist() for column in columns), strict=True)
            for _ in batch.video:
                tick()
    scored = pd.DataFrame(rows, columns=["video", "estimate", "substituted"])
    video_ids = datamodule.manifest.table["video_id"].to_numpy()
    scored["video_id"] = video_ids[scored["video"]]
    videos = video_table(scored, datamodule.manifest.table)
    substituted = scored.groupby("video_id")["substituted"].sum()
    return videos.assign(substituted_frames=videos["video_id"].map(substituted))
