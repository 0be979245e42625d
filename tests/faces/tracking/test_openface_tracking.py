"""OpenFace's landmarks come to the frames that they were found in."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from depression_vr.data.videos import videos_in
from depression_vr.errors import UserError
from depression_vr.faces.aligning.crops import Crops
from depression_vr.faces.output import Output
from depression_vr.faces.pipeline import Preprocessing, plan, preprocess_video
from depression_vr.faces.tracking.openface_files import LandmarkFileError
from depression_vr.faces.tracking.openface_tracking import OpenFaceTracking
from depression_vr.faces.tracking.track_table import FrameFaces
from depression_vr.faces.video import VideoReader
from films import write_film

_FACE = np.random.default_rng(0).uniform(5, 40, (68, 2)).round(1)


def write_csv(path: Path, rows: list[tuple[int, int, float]]) -> None:
    """Rows of (frame, face, confidence); the landmarks of frame n and face f are shifted by (n, 100 f)."""
    names = ["frame", "face_id", "timestamp", "confidence", "success"]
    names += [f"{axis}_{point}" for axis in "xy" for point in range(68)]
    lines = [", ".join(names)]
    for frame, face, confidence in rows:
        points = np.add(_FACE, (frame, 100 * face)).T.ravel()
        values = [frame, face, frame / 30, confidence, int(confidence > 0), *points]
        lines.append(", ".join(str(value) for value in values))
    path.write_text("\n".join(lines) + "\n")


def tracked(video: Path, folder: Path, fps: float | None = None) -> list[FrameFaces]:
    return list(OpenFaceTracking(folder).track(VideoReader(video, fps=fps), videos_in(video)[0]))


def test_every_frame_has_the_faces_of_its_rows(tmp_path: Path) -> None:
    video = write_film(tmp_path / "a.mp4", 10)
    write_csv(
        tmp_path / "a.csv", [(1, 0, 0.9), (2, 0, 0.9), (2, 1, 0.9), (4, 0, 0.9), (5, 0, 0.3), (9, 1, 1)]
    )
    found = tracked(video, tmp_path)
    assert [[face.track for face in frame.sightings] for frame in found] == [
        [0], [0, 1], [], [0], [], [], [], [], [1], []
    ]  # fmt: skip
    assert found[3].sightings[0].landmarks == pytest.approx(np.add(_FACE, (4, 0)))
    assert [frame.faces for frame in found[:3]] == [1, 2, 0]


@pytest.mark.parametrize("fps", [10, 60])
def test_resampled_frames_have_the_landmarks_of_the_frame_they_show(tmp_path: Path, fps: float) -> None:
    video = write_film(tmp_path / "a.mp4", 12)
    write_csv(tmp_path / "a.csv", [(frame, 0, 0.9) for frame in range(1, 13)])
    found = tracked(video, tmp_path, fps)
    assert len(found) == pytest.approx(12 * fps / 30, abs=1)
    for frame in found:
        assert frame.sightings[0].landmarks == pytest.approx(np.add(_FACE, (frame.source, 0)))


def test_changed_landmarks_are_noticed(tmp_path: Path) -> None:
    (video,) = videos_in(write_film(tmp_path / "a.mp4", 6))
    write_csv(tmp_path / "a.csv", [(frame, 0, 0.9) for frame in range(1, 7)])
    settings, output = Preprocessing(OpenFaceTracking(tmp_path), Crops(size=32)), Output(tmp_path / "out")
    preprocess_video(video, settings, output, lambda: None)
    assert plan(video, settings, output).step == "keep"
    write_csv(tmp_path / "a.csv", [(frame, 0, 0.95) for frame in range(1, 7)])
    assert plan(video, settings, output).step == "track"


def test_a_file_of_another_rate_or_video_is_refused(tmp_path: Path) -> None:
    video = write_film(tmp_path / "a.mp4", 60, rate=10)
    write_csv(tmp_path / "a.csv", [(frame, 0, 0.9) for frame in range(1, 61)])
    with pytest.raises(LandmarkFileError, match="another video or rate"):
        tracked(video, tmp_path)
    short = write_film(tmp_path / "b.mp4", 10)
    write_csv(tmp_path / "b.csv", [(frame, 0, 0.9) for frame in range(1, 61)])
    with pytest.raises(LandmarkFileError, match="the video ends at 10"):
        tracked(short, tmp_path)


def test_a_video_without_its_file_is_an_error(tmp_path: Path) -> None:
    video = write_film(tmp_path / "a.mp4", 3)
    with pytest.raises(LandmarkFileError, match=r"a\.csv"):
        tracked(video, tmp_path)


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    tracking = pickle.loads(pickle.dumps(OpenFaceTracking(tmp_path / "openface")))
    with pytest.raises(UserError) as caught:
        tracking.prepare()
    assert caught.value.where == "config key faces.folder"
    (tmp_path / "openface").mkdir()
    tracking.prepare()
