"""Explain videos one after the other, with a progress bar, and go on where that was stopped."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from depression_vr.data.contents import frame_contents
from depression_vr.explaining.chosen_video import ChosenVideo
from depression_vr.explaining.methods import Settings
from depression_vr.explaining.one_video import EXPLANATION, Wanted, explain_video
from depression_vr.made_with import made_with
from depression_vr.parallel import Bar, Tick, do_all
from depression_vr.runs.in_words import counted
from depression_vr.trained import TrainedNetwork

log = logging.getLogger(__name__)


def explain_videos(
    trained: TrainedNetwork,
    rows: Sequence[int],
    methods: Sequence[str],
    settings: Settings,
    windows: int | None,
    folder: Path,
) -> None:
    """Explain videos, each in a folder of its own; those that are explained already, just so, are left.

    Args:
        trained: the network.
        rows: of the videos in the manifest.
        methods: names of methods that suit the network.
        settings: of the methods.
        windows: at most so many of each video are explained.
        folder: around the videos' folders.

    Raises:
        UserError: a frame cannot be read, or the network has no such stage.
    """
    if not rows:
        return
    own = {"methods": list(methods), "windows": windows, **asdict(settings)}
    frames = frame_contents(trained.datamodule.manifest, rows)
    left = []
    for place, row in enumerate(rows):
        video = ChosenVideo(trained, row, windows)
        origin = {**made_with(trained, "explaining", frames=frames.iloc[[place]]), **own}
        if _made_from(_folder(video, folder)) != origin:
            left.append((video, Wanted(tuple(methods), settings, origin)))
    if len(left) < len(rows):
        log.info("%d of %d videos are explained already", len(rows) - len(left), len(rows))
    if not left:
        return
    work = partial(_explain, around=folder)
    total = sum(len(video.windows) + len(methods) * len(video.explained) for video, _ in left)
    do_all(work, left, workers=1, ticks=Bar("explaining videos", "windows", total))
    log.info("explained %s in %s", counted(len(left), "video"), folder)


def _explain(job: tuple[ChosenVideo, Wanted], tick: Tick, *, around: Path) -> None:
    video, wanted = job
    explain_video(video, tick, wanted=wanted, out=_folder(video, around))


def _folder(video: ChosenVideo, around: Path) -> Path:
    """Of one video; its id may be a path."""
    return around / quote(video.facts["video_id"], safe=" ")


def _made_from(folder: Path) -> Any:
    """What an explanation was made from; None where there is none, or one that cannot be read."""
    try:
        return json.loads((folder / EXPLANATION).read_text(encoding="utf-8"))["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
