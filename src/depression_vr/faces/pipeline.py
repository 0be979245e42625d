"""One video: from its file to a folder of aligned faces."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from depression_vr.data.videos import RawVideo
from depression_vr.faces.aligning.crops import Crops, write_crops
from depression_vr.faces.aligning.quality_summary import quality_summary
from depression_vr.faces.aligning.quality_table import QualityTable
from depression_vr.faces.aligning.smoothing import bridge, smooth
from depression_vr.faces.fingerprint import differences, fingerprint
from depression_vr.faces.output import QUALITY, SUMMARY, TRACKS, Output
from depression_vr.faces.tracking.track_table import FrameFaces, read_track, write_tracks
from depression_vr.faces.video import VideoFrame, VideoReader
from depression_vr.files import write_json

_PACKAGES = ("depression-vr", "av", "opencv-python", "numpy", "dlib-bin", "face-alignment")


class NoFaceError(Exception):
    """There is nobody in a video, or hardly anybody."""


class Tracker(Protocol):
    """Says who is where in every frame. Objects hold settings only; their attributes are the settings."""

    def prepare(self) -> None:
        """Make sure that packages, weights and folders are there, or raise a `UserError`."""

    def processes(self) -> int:
        """How many processes at once use the machine well."""

    def files(self, video: RawVideo) -> tuple[Path, ...]:
        """The files that are read beside the video."""

    def track(self, frames: Iterable[VideoFrame], video: RawVideo) -> Iterator[FrameFaces]:
        """The faces of every frame, in order."""


@dataclass(frozen=True)
class Preprocessing:
    """How videos become frames.

    Attributes:
        tracker: finds the faces.
        crops: how aligned frames are made.
        fps: frames per second; None for each video's own.
    """

    tracker: Tracker
    crops: Crops
    fps: float | None = None


Step = Literal["keep", "align", "track"]
"""What is to be done for a video: nothing, its frames from the landmarks that are there, or everything."""


class Plan(NamedTuple):
    """What is to be done for a video, and why.

    Attributes:
        step: what.
        finished: the summary of a finished video.
        changes: the settings that it was made with otherwise.
    """

    step: Step
    finished: dict[str, Any] | None = None
    changes: Sequence[str] = ()


def plan(video: RawVideo, settings: Preprocessing, output: Output) -> Plan:
    """Look what there is of a video.

    Raises:
        OSError: the video cannot be read.
    """
    finished = output.finished(video)
    if finished is None:
        return Plan("track")
    now = _fingerprint(video, settings)
    changed = [str(difference) for difference in differences(finished["fingerprint"], now)]
    if not changed:
        return Plan("keep", finished)
    same_tracks = all(finished["fingerprint"][part] == now[part] for part in ("source", "tracking"))
    return Plan("align" if same_tracks else "track", finished, changed)


def preprocess_video(
    video: RawVideo, settings: Preprocessing, output: Output, tick: Callable[[], None]
) -> dict[str, Any]:
    """Do what `plan` says and put the result in its place.

    Args:
        video: the video.
        settings: how.
        output: where to.
        tick: called for every frame of both passes; may raise to stop the work.

    Returns:
        The video's summary.

    Raises:
        VideoError: the file is no usable video.
        LandmarkFileError: a file of landmarks is missing or wrong.
        NoFaceError: there is no face, or in too few frames.
        OSError: something cannot be read or written.
    """
    step, finished, _ = plan(video, settings, output)
    if step == "keep" and finished:
        return finished
    reader = VideoReader(video.path, fps=settings.fps)
    header = reader.header()
    made_from = _fingerprint(video, settings)
    with output.unfinished(video) as folder:
        track: int | None
        if step == "align" and finished:
            shutil.copyfile(output.folder(video) / TRACKS, folder / TRACKS)
            track = finished["track"]
        else:
            track = write_tracks(folder / TRACKS, settings.tracker.track(_ticking(reader, tick), video))
        if track is None:
            raise NoFaceError("no face was found in the whole video")
        poses = smooth(
            bridge(read_track(folder / TRACKS, track), settings.crops.gap_limit), settings.crops.smoothing
        )
        with QualityTable(folder / QUALITY) as table:
            write_crops(folder, _ticking(reader, tick), poses, settings.crops, table)
        measured = quality_summary(folder / QUALITY)
        if measured["frames_written"] < settings.crops.least_written * measured["frames"]:
            raise NoFaceError(
                f"a face was found in only {measured['frames_written']} of {measured['frames']} frames "
                f"(crops.least_written is {settings.crops.least_written:g})"
            )
        summary = {
            "video_id": video.video_id,
            "partition": video.partition,
            "task": video.task,
            "subject": video.subject,
            "recording": video.recording,
            "label": video.label,
            "source": video.path.name,
            **measured,
            "source_frames": reader.decoded,
            "seconds": reader.duration,
            "frame_rate": settings.fps or header.frame_rate,
            "variable_frame_rate": reader.variable_frame_rate and settings.fps is None,
            "damage": reader.damage,
            "width": header.width,
            "height": header.height,
            "rotation": header.rotation,
            "size": settings.crops.size,
            "track": track,
            "packages": package_versions(),
            "fingerprint": made_from,
        }
        write_json(folder / SUMMARY, summary)
    return summary


def _fingerprint(video: RawVideo, settings: Preprocessing) -> dict[str, Any]:
    others = settings.tracker.files(video)
    return fingerprint(video.path, others, settings.tracker, settings.crops, settings.fps)


def _ticking(frames: Iterable[VideoFrame], tick: Callable[[], None]) -> Iterator[VideoFrame]:
    for frame in frames:
        tick()
        yield frame


def package_versions() -> dict[str, str]:
    """The versions of the packages that decide how frames look, where they are installed."""
    versions = {}
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
