"""Many videos: planned, spread over processes, and what failed reported at the end."""

import functools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from depression_vr.data.videos import RawVideo
from depression_vr.errors import Problem, UserError
from depression_vr.faces.output import BusyError, OccupiedError, Output
from depression_vr.faces.pipeline import (
    NoFaceError,
    Plan,
    Preprocessing,
    Step,
    package_versions,
    plan,
    preprocess_video,
)
from depression_vr.faces.tracking.openface_files import LandmarkFileError
from depression_vr.faces.video import VideoError, VideoReader
from depression_vr.files import NO_ROOM
from depression_vr.parallel import Bar, Tick, WorkerDiedError, run_jobs

log = logging.getLogger(__name__)

_PASSES_OF = {"track": 2, "align": 1}  # a video is read to find the faces, and again to cut them out
_PASSES = _PASSES_OF["track"]
_PLANNING_THREADS = 8
_REASONS_SHOWN = 10
_EXPECTED = (
    VideoError,
    LandmarkFileError,
    NoFaceError,
    BusyError,
    OccupiedError,
    WorkerDiedError,
    UserError,
)


@dataclass(frozen=True)
class Outcome:
    """What became of some videos.

    Attributes:
        done: made now.
        kept: finished before.
        failures: video and reason, of those that could not be finished.
        faceless: those of the failed that are good videos, but of nobody, or hardly anybody.
    """

    done: tuple[RawVideo, ...]
    kept: tuple[RawVideo, ...]
    failures: tuple[tuple[RawVideo, str], ...]
    faceless: tuple[RawVideo, ...] = ()


def shard_of(videos: Sequence[RawVideo], shard: int, num_shards: int) -> tuple[RawVideo, ...]:
    """Every ``num_shards``-th video in the order of ids, beginning with number ``shard``.

    Raises:
        UserError: there is no such shard.
    """
    if num_shards < 1 or not 0 <= shard < num_shards:
        raise UserError(
            f"there is no shard {shard} of {num_shards}",
            where="config keys shard and num_shards",
            fix="use shard=0 to shard=N-1 with num_shards=N",
        )
    in_order = sorted(videos, key=lambda video: (video.partition, video.task, video.video_id))
    return tuple(in_order[shard::num_shards])


def preprocess_videos(
    videos: Sequence[RawVideo],
    settings: Preprocessing,
    output: Output,
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Turn videos into folders of aligned faces; those that are finished are left alone.

    Args:
        videos: with ids that make different folders.
        settings: how.
        output: where to.
        workers: processes; None for as many as the tracker gains by.
        overwrite: make videos again that were made with other settings, from the step on that they change.

    Raises:
        UserError: something that all videos need is missing, nothing can be written, or finished videos were
            made with other settings.
    """
    todo = _plans(videos, settings, output, overwrite=overwrite)
    kept = tuple(video for video in videos if todo[video] == "keep")
    jobs = [video for video in videos if todo[video] != "keep"]
    if jobs:
        settings.tracker.prepare()
    output.prepare()
    _warn_of_other_packages(kept, output)
    failures = _updated(kept, output)
    kept = tuple(video for video in kept if video not in failures)
    if not jobs:
        return Outcome((), kept, tuple(failures.items()))
    done, faceless = [], []
    full = False
    ended = run_jobs(
        functools.partial(_do, settings, output),
        jobs,
        workers=settings.tracker.processes() if workers is None else workers,
        ticks=Bar("Frames", "frames", _expected_frames(todo, settings), 1 / _PASSES),
        ended=Bar("Videos", "videos", len(jobs)),
    )
    with closing(ended):
        for end in ended:
            if end.error is None:
                done.append(end.job)
                output.forget_failure(end.job)
                continue
            failures[end.job] = _reason(end.error)
            if isinstance(end.error, NoFaceError):
                faceless.append(end.job)
            if not isinstance(end.error, BusyError):  # what becomes of it is for the other process to say
                output.note_failure(end.job, failures[end.job])
            full = isinstance(end.error, OSError) and end.error.errno in NO_ROOM
            if full:
                break
    for job in jobs if full else ():
        if job in failures or job in done:
            continue
        if _plan(job, settings, output).step == "keep":  # finished while the others were being stopped
            done.append(job)
            output.forget_failure(job)
        else:
            failures[job] = "not tried: the disk is full"
            output.note_failure(job, failures[job])
    return Outcome(tuple(done), kept, tuple(failures.items()), tuple(faceless))


def _updated(kept: Sequence[RawVideo], output: Output) -> dict[RawVideo, str]:
    """Note what is known now of finished videos; returns those of which it could not be noted, and why."""
    failures = {}
    for video in kept:
        try:
            output.update(video)
        except OSError as error:
            failures[video] = _reason(error)
    return failures


def _do(settings: Preprocessing, output: Output, video: RawVideo, tick: Tick) -> None:
    with output.locked(video):
        preprocess_video(video, settings, output, tick)


def _reason(error: Exception) -> str:
    if isinstance(error, _EXPECTED):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError):
        if error.errno in NO_ROOM:
            return "the disk is full"
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    log.error("an unexpected error, please report it", exc_info=error)
    return f"unexpected error: {error!r}"


def _plans(
    videos: Sequence[RawVideo], settings: Preprocessing, output: Output, *, overwrite: bool
) -> dict[RawVideo, Step]:
    with ThreadPoolExecutor(_PLANNING_THREADS) as pool:
        found = pool.map(lambda video: _plan(video, settings, output), videos)
        plans = dict(zip(videos, found, strict=True))
    changes = Counter(change for planned in plans.values() for change in planned.changes)
    if changes and not overwrite:
        raise UserError(
            f"{sum(1 for planned in plans.values() if planned.changes)} finished videos were made otherwise:",
            problems=[
                Problem(f"{count} videos" if count > 1 else "1 video", change)
                for change, count in changes.most_common(_REASONS_SHOWN)
            ],
            where=str(output.root),
            fix="overwrite=true makes them again; or name another folder with out=",
        )
    return {video: planned.step for video, planned in plans.items()}


def _warn_of_other_packages(kept: Sequence[RawVideo], output: Output) -> None:
    now = package_versions()
    made_with = Counter(
        f"{name} {version}"
        for video in kept
        for name, version in (output.summary(video) or {}).get("packages", {}).items()
        if now.get(name) != version
    )
    for package, count in made_with.items():
        log.warning("warning: %d finished videos were made with %s", count, package)


def _plan(video: RawVideo, settings: Preprocessing, output: Output) -> Plan:
    try:
        return plan(video, settings, output)
    except (OSError, LandmarkFileError):
        return Plan("track")  # trying it says what is wrong


def _expected_frames(todo: Mapping[RawVideo, Step], settings: Preprocessing) -> float | None:
    """How many frames are to be read, one that is read once counting half; None where nobody knows."""

    def frames(video: RawVideo) -> int | None:
        try:
            return VideoReader(video.path, fps=settings.fps).header().frames
        except VideoError:
            return 0

    passes = {video: _PASSES_OF[step] / _PASSES for video, step in todo.items() if step != "keep"}
    with ThreadPoolExecutor(_PLANNING_THREADS) as pool:
        counts = list(pool.map(frames, passes))
    known = [count * share for count, share in zip(counts, passes.values(), strict=True) if count is not None]
    return sum(known) * len(counts) / len(known) if known else None
