"""Rows about preprocessing: frames per second of the offline backends, and what following faces costs."""

import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.bench.films import FRAME_RATE, Film
from depression_vr.bench.frame_by_frame import FrameByFrame
from depression_vr.bench.rows import Goal, Measure, Row, per_second
from depression_vr.data.videos import RawVideo
from depression_vr.faces.aligning.alignment import Similarity
from depression_vr.faces.aligning.crops import Crops
from depression_vr.faces.aligning.quality_table import TRANSFORM_COLUMNS
from depression_vr.faces.backends.dlib import Dlib
from depression_vr.faces.corpus import preprocess_videos
from depression_vr.faces.landmarks import LANDMARKS, LandmarkDetector
from depression_vr.faces.output import QUALITY, Output
from depression_vr.faces.pipeline import Preprocessing, Tracker, preprocess_video
from depression_vr.faces.tracking.face_tracking import FaceTracking
from depression_vr.faces.tracking.openface_tracking import OpenFaceTracking
from depression_vr.faces.tracking.track_table import LANDMARK_COLUMNS, FrameFaces
from depression_vr.faces.video import VideoReader

_RATE = "frames/s"
_CNN_FRAMES = 2  # a second each on a CPU

Seconds = Annotated[float, Field(ge=0.1, le=3600)]


@dataclass(frozen=True)
class PreprocessBenchmark:
    """Preprocessing of generated films at 30 frames/s, one of 1280x720 and one of 640x480 pixels.

    Everything runs in one process and one thread where a row does not say otherwise.

    Attributes:
        seconds: of a film.
        loop_seconds: of a film are enough where every frame takes the same time by itself: for the detector
            alone, and for the baseline, which is slow.
        processes: for the row that has several, each with its copy of the film.
    """

    seconds: Seconds = 10.0
    loop_seconds: Seconds = 3.0
    processes: PositiveInt = 2

    def rows(self, folder: Path) -> Sequence[Row]:
        """Write the films, and landmarks as OpenFace would.

        Raises:
            UserError: dlib or its weights are not installed.
        """
        for detector in ("hog", "cnn"):
            Dlib(detector=detector).prepare()
        frames = round(self.seconds * FRAME_RATE)
        large = _raw_video(Film(1280, 720, face=300, frames=frames).write(folder / "720p.mp4"))
        small = _raw_video(Film(640, 480, face=200, frames=frames).write(folder / "480p.mp4"))
        _write_openface_csv(large, folder / "openface" / "720p.csv")
        return [
            *self._rates(large, OpenFaceTracking(folder / "openface"), folder),
            *self._against_baseline(small, folder),
        ]

    def _rates(self, video: RawVideo, openface: Tracker, folder: Path) -> list[Row]:
        measures = {
            "decode": Measure(
                "decoding to RGB alone, 720p", _RATE, lambda: per_second(lambda: _decode(video))
            ),
            "detect": self._detection(Dlib(), video, self._loop_frames, "faces=dlib"),
            "detect cnn": self._detection(
                Dlib(detector="cnn"), video, _CNN_FRAMES, "faces=dlib with detector=cnn"
            ),
            "dlib": Measure(
                "end to end, faces=dlib, 720p", _RATE, partial(_end_to_end, video, _dlib(), folder)
            ),
            "openface": Measure(
                "end to end, faces=openface, 720p", _RATE, partial(_end_to_end, video, openface, folder)
            ),
        }
        return [Row(f"preprocess {name} 720p", ours) for name, ours in measures.items()]

    def _detection(self, backend: LandmarkDetector, video: RawVideo, frames: int, setting: str) -> Measure:
        what = f"detector alone on every frame, {setting}, 720p"
        return Measure(what, _RATE, partial(_detect, backend, video, frames))

    def _against_baseline(self, video: RawVideo, folder: Path) -> list[Row]:
        loop = Measure(
            "a script that detects on every full frame, upsampled once, and writes dlib's chips; 1 process",
            _RATE,
            partial(_frame_by_frame, FrameByFrame(), video, self._loop_frames, folder),
        )
        ours = Measure(
            "end to end, faces=dlib, 480p; 1 process", _RATE, partial(_end_to_end, video, _dlib(), folder)
        )
        several = Measure(
            f"end to end, faces=dlib, 480p; {self.processes} processes and their start",
            _RATE,
            partial(_in_processes, video, self.processes, folder),
        )
        difference = Measure(
            "RMS distance of landmarks in 256x256 frames between every=10 and every=1, faces=dlib, 480p",
            "pixels",
            partial(_landmark_difference, video, folder),
            repeated=False,
        )
        return [
            Row("preprocess dlib 480p", ours, loop, Goal("ratio", least=4)),
            Row("preprocess dlib 480p processes", several, loop),
            Row("preprocess dlib 480p landmarks", difference, goal=Goal("figure", most=1)),
        ]

    @property
    def _loop_frames(self) -> int:
        return round(self.loop_seconds * FRAME_RATE)


def _dlib(every: int = 10) -> FaceTracking:
    return FaceTracking(Dlib(), every=every)


def _raw_video(path: Path, video_id: str = "film") -> RawVideo:
    return RawVideo(video_id, path, label="", partition="", subject="", task="", recording="")


def _decode(video: RawVideo) -> int:
    reader = VideoReader(video.path)
    for frame in reader:
        frame.rgb()
    return reader.decoded


def _detect(backend: LandmarkDetector, video: RawVideo, frames: int) -> float:
    seconds = []
    for frame in islice(VideoReader(video.path), frames):
        rgb = frame.rgb()
        began = time.perf_counter()
        backend.detect([rgb])
        seconds.append(time.perf_counter() - began)
    return 1 / statistics.mean(seconds)


def _end_to_end(video: RawVideo, tracker: Tracker, folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        return per_second(lambda: _preprocess(video, tracker, Output(Path(out))))


def _preprocess(video: RawVideo, tracker: Tracker, output: Output) -> int:
    frames: int = preprocess_video(video, Preprocessing(tracker, Crops()), output, lambda: None)["frames"]
    return frames


def _in_processes(video: RawVideo, processes: int, folder: Path) -> float:
    copies = [_raw_video(video.path, f"film{number}") for number in range(processes)]

    def work() -> int:
        outcome = preprocess_videos(copies, Preprocessing(_dlib(), Crops()), output, workers=processes)
        if outcome.failures:
            raise RuntimeError(f"a film could not be preprocessed: {outcome.failures[0][1]}")
        return sum(summary["frames"] for summary in output.summaries())

    with tempfile.TemporaryDirectory(dir=folder) as out:
        output = Output(Path(out))
        return per_second(work)


def _frame_by_frame(baseline: FrameByFrame, video: RawVideo, frames: int, folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        return per_second(lambda: baseline.write(islice(VideoReader(video.path), frames), Path(out)))


def _landmark_difference(video: RawVideo, folder: Path) -> float:
    """Root mean square of the distances; NaN where a frame is lost in either way."""
    followed, detected = (_aligned_landmarks(video, every, folder) for every in (10, 1))
    return float(np.sqrt(np.square(followed - detected).sum(axis=2).mean()))


def _aligned_landmarks(video: RawVideo, every: int, folder: Path) -> np.ndarray:
    """Where the landmarks lie in the aligned frames, ``(frames, 68, 2)``."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        output = Output(Path(out))
        _preprocess(video, _dlib(every), output)
        table = pd.read_parquet(output.folder(video) / QUALITY)
    points = table[list(LANDMARK_COLUMNS)].to_numpy(float).reshape(-1, 2, LANDMARKS).swapaxes(1, 2)
    transforms = table[list(TRANSFORM_COLUMNS)].to_numpy(float)
    return np.stack([Similarity(*row).apply(face) for row, face in zip(transforms, points, strict=True)])


def _write_openface_csv(video: RawVideo, path: Path) -> None:
    """The landmarks that faces=dlib finds, as OpenFace's option ``-2Dfp`` writes them."""
    path.parent.mkdir()
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_openface_lines(_dlib().track(VideoReader(video.path), video)))


def _openface_lines(frames: Iterable[FrameFaces]) -> Iterator[str]:
    yield ", ".join(["frame", "face_id", "timestamp", "confidence", "success", *LANDMARK_COLUMNS]) + "\n"
    for frame in frames:
        for face in frame.sightings:
            landmarks = ", ".join(f"{value:.1f}" for value in face.landmarks.T.ravel())
            yield f"{frame.source}, {face.track}, {frame.time:.3f}, 0.98, 1, {landmarks}\n"
