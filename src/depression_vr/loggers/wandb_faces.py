"""Pictures of the videos that a network is worst at, for those who may and want to share them."""

import logging
from typing import Any

import numpy as np
import wandb

from depression_vr.data.frames import read_frame
from depression_vr.data.manifest import Manifest
from depression_vr.loggers.wandb_privacy import SaltedIds
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)


def worst_faces(run: Run, manifest: Manifest, ids: SaltedIds, *, share_ids: bool, most: int) -> list[Any]:
    """W&B's images of the evaluated videos with the largest absolute errors, the largest first.

    Args:
        run: evaluated.
        manifest: of its corpus.
        ids: that stand for the videos in the captions.
        share_ids: their own ids stand there.
        most: how many.

    Returns:
        The middle frame of each, as pixels alone: of the size that the network gets them in, without what the
        file says of camera, place or time. A frame that cannot be read is left out, with a warning.
    """
    videos = run.predictions()
    errors = (videos["estimate"] - videos["label"]).abs()
    size = int(run.config().data.size)
    rows = {video_id: row for row, video_id in enumerate(manifest.table["video_id"])}
    images = []
    for index in np.argsort(-errors.to_numpy(), kind="stable")[:most]:
        video = videos.iloc[index]
        folder = manifest.folders[rows[video["video_id"]]]
        try:
            pixels = read_frame(folder, len(folder) // 2, (size, size))
        except OSError as error:
            log.warning("warning: a picture for W&B is left out: %s", error)
            continue
        name = video["video_id"] if share_ids else ids.of(video["video_id"])
        caption = f"{name}: score {video['label']:g}, estimate {video['estimate']:.1f}"
        images.append(wandb.Image(pixels, caption=caption, file_type="jpg"))
    return images
