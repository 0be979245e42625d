"""Who is followed, from where to where, and how often the detector has to search."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from depression_vr.data.videos import videos_in
from depression_vr.faces.landmarks import Face
from depression_vr.faces.tracking.face_tracking import FaceTracking
from depression_vr.faces.tracking.track_table import FrameFaces, read_track, write_tracks
from depression_vr.faces.video import VideoReader
from films import write_film

SIDE = 40
_SHAPE = np.random.default_rng(5).uniform(0.1, 0.9, (68, 2))


class DiscDetector:
    """Finds discs as faces: bright ones anywhere, and, told where to look, dim ones too, as predictors do."""

    def __init__(self) -> None:
        self.searched = 0

    def prepare(self) -> None:
        pass

    def processes(self) -> int:
        return 1

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        self.searched += len(frames)
        return [[Face(box, 1.0) for box in discs(frame, least=150)] for frame in frames]

    def landmarks(self, frames: Sequence[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for frame, box in zip(frames, boxes, strict=True):
            near = [disc for disc in discs(frame, least=60) if np.abs(disc - box).max() < SIDE]
            found.append(min(near, key=lambda disc: np.abs(disc - box).max(), default=box))
        corners = np.array(found)
        return corners[:, None, :2] + _SHAPE * (corners[:, None, 2:] - corners[:, None, :2]), np.ones(
            len(found)
        )

    def box_around(self, landmarks: np.ndarray) -> np.ndarray:
        scale = np.ptp(landmarks, axis=1) / np.ptp(_SHAPE, axis=0)
        corner = landmarks.min(axis=1) - _SHAPE.min(axis=0) * scale
        return np.hstack([corner, corner + scale])


def discs(frame: np.ndarray, least: int) -> list[np.ndarray]:
    """Boxes of the spots in the red channel."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((frame[..., 0] >= least).astype(np.uint8))
    return [np.array([x, y, x + w, y + h], float) for x, y, w, h, area in stats[1:] if area > SIDE]


Where = Callable[[int], Iterable[tuple[float, float, float, int]]]


def film(path: Path, frames: int, where: Where) -> Path:
    """A film of discs: for each frame their (x, y, radius, brightness)."""

    def pictures() -> Iterable[np.ndarray]:
        for number in range(frames):
            picture = np.zeros((160, 320, 3), np.uint8)
            for x, y, radius, bright in where(number):
                cv2.circle(picture, (round(x), round(y)), round(radius), (bright, bright, bright), -1)
                cv2.circle(picture, (round(x - radius / 3), round(y)), round(radius / 4), (bright, 0, 0), -1)
            yield picture

    return write_film(path, pictures(), options={"crf": "10"})


def tracked(path: Path, detector: DiscDetector, **settings: float) -> list[FrameFaces]:
    tracking = FaceTracking(detector, **settings)
    return list(tracking.track(VideoReader(path), videos_in(path)[0]))


def person(frames: Sequence[FrameFaces], tmp_path: Path) -> list[FrameFaces]:
    """The frames with the sightings of the person that the video is about."""
    track = write_tracks(tmp_path / "tracks.parquet", frames)
    assert track is not None
    return list(read_track(tmp_path / "tracks.parquet", track))


def middles(frames: Sequence[FrameFaces]) -> np.ndarray:
    return np.array(
        [
            (f.sightings[0].box[:2] + f.sightings[0].box[2:]) / 2 if f.sightings else [np.nan] * 2
            for f in frames
        ]
    )


def test_between_searched_frames_the_face_is_followed_where_it_goes(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 61, lambda n: [(60 + 2 * n, 80 + 10 * np.sin(n / 6), 20, 230)])
    detector = DiscDetector()
    found = person(tracked(path, detector, every=10), tmp_path)
    assert detector.searched == 7
    expected = np.array([[60 + 2 * n, 80 + 10 * np.sin(n / 6)] for n in range(61)])
    assert np.abs(middles(found) - expected).max() < 2
    assert [frame.number for frame in found if frame.sightings[0].detected] == [1, 11, 21, 31, 41, 51, 61]


def test_every_frame_is_searched_when_asked_for(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 25, lambda n: [(60 + 2 * n, 80, 20, 230)])
    detector = DiscDetector()
    found = tracked(path, detector, every=1)
    assert detector.searched == 25
    assert all(frame.sightings[0].detected for frame in found)


@pytest.mark.parametrize("batch_frames", [1, 7, 64])
@pytest.mark.parametrize("length", [1, 2, 10, 11, 12, 35])
def test_no_frame_is_left_out_whatever_the_batches(tmp_path: Path, length: int, batch_frames: int) -> None:
    path = film(tmp_path / "a.mp4", length, lambda n: [(60 + 2 * n, 80, 20, 230)])
    found = tracked(path, DiscDetector(), every=5, batch_frames=batch_frames)
    assert [frame.number for frame in found] == list(range(1, length + 1))
    assert all(len(frame.sightings) == 1 for frame in found)


def test_the_person_is_followed_and_not_the_biggest_face(tmp_path: Path) -> None:
    def where(n: int) -> list[tuple[float, float, float, int]]:
        visitor = [(250.0, 80.0, 40.0, 230)] if 20 <= n < 50 else []
        return [(70 + n / 3, 80, 22, 230), *visitor]

    path = film(tmp_path / "a.mp4", 90, where)
    found = person(tracked(path, DiscDetector(), every=6), tmp_path)
    assert np.abs(middles(found)[:, 0] - (70 + np.arange(90) / 3)).max() < 2
    assert [max(f.faces for f in found[a:b]) for a, b in ((0, 15), (30, 45), (60, 90))] == [1, 2, 1]


def test_two_people_keep_their_tracks_when_they_pass_near_each_other(tmp_path: Path) -> None:
    def where(n: int) -> list[tuple[float, float, float, int]]:
        return [(60 + 2 * n, 55, 24, 230), (240 - 2 * n, 110, 22, 230)]

    frames = tracked(film(tmp_path / "a.mp4", 80, where), DiscDetector(), every=8)
    found = person(frames, tmp_path)
    assert np.abs(middles(found)[:, 0] - (60 + 2 * np.arange(80))).max() < 3


def test_a_short_false_alarm_at_the_start_is_not_the_person(tmp_path: Path) -> None:
    def where(n: int) -> list[tuple[float, float, float, int]]:
        return [(270, 60, 35, 230)] if n < 5 else [(80, 90, 20, 230)]

    found = person(tracked(film(tmp_path / "a.mp4", 60, where), DiscDetector(), every=5), tmp_path)
    assert np.isnan(middles(found)[:5]).all()
    assert np.abs(middles(found)[7:, 0] - 80).max() < 2


def test_a_face_the_detector_misses_is_followed_while_it_looks_the_same(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 61, lambda n: [(60 + 2 * n, 80, 20, 100 if 22 <= n < 38 else 230)])
    found = tracked(path, DiscDetector(), every=10)
    assert all(len(frame.sightings) == 1 for frame in found)
    assert not found[30].sightings[0].detected
    limited = tracked(path, DiscDetector(), every=10, unseen_limit=0.1)
    assert not all(frame.sightings for frame in limited)


def test_frames_in_which_the_face_is_hidden_have_none(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 41, lambda n: [] if n in (23, 24, 25) else [(60 + 2 * n, 80, 20, 230)])
    found = tracked(path, DiscDetector(), every=10)
    assert [frame.number - 1 for frame in found if not frame.sightings] == [23, 24, 25]


def test_a_face_that_leaves_and_comes_back_is_the_same_person(tmp_path: Path) -> None:
    def where(n: int) -> list[tuple[float, float, float, int]]:
        return [] if 30 <= n < 60 else [(100 + n / 4, 80, 22, 230)]

    found = person(tracked(film(tmp_path / "a.mp4", 90, where), DiscDetector(), every=10), tmp_path)
    missing = [frame.number - 1 for frame in found if not frame.sightings]
    assert missing == list(range(30, 60))


def test_who_appears_between_two_searches_is_followed_back_to_that_moment(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 41, lambda n: [(100 + n, 80, 22, 230)] if n >= 14 else [])
    found = tracked(path, DiscDetector(), every=10)
    assert [frame.number - 1 for frame in found if frame.sightings] == list(range(14, 41))


@pytest.mark.parametrize("fps", [1, 2, 5])
def test_a_face_is_kept_where_frames_are_far_apart_in_time(tmp_path: Path, fps: float) -> None:
    path = film(tmp_path / "a.mp4", 120, lambda n: [(160 + 60 * np.sin(n / 11), 80, 20, 230)])
    frames = FaceTracking(DiscDetector()).track(VideoReader(path, fps=fps), videos_in(path)[0])
    found = person(list(frames), tmp_path)
    expected = [160 + 60 * np.sin((frame.source - 1) / 11) for frame in found]
    assert np.abs(middles(found)[:, 0] - expected).max() < 3


@pytest.mark.parametrize("every", [1, 10])
def test_a_jump_within_a_faces_width_does_not_make_another_person(tmp_path: Path, every: int) -> None:
    path = film(tmp_path / "a.mp4", 60, lambda n: [(100 if n < 33 else 136, 80, 20, 230)])
    found = person(tracked(path, DiscDetector(), every=every), tmp_path)
    assert all(frame.sightings for frame in found)
    assert np.abs(middles(found)[:, 0] - np.where(np.arange(60) < 33, 100, 136)).max() < 2


def test_a_face_that_passes_in_front_does_not_take_over_the_track(tmp_path: Path) -> None:
    def where(n: int) -> list[tuple[float, float, float, int]]:
        passing = [(4.0 * n, 110.0, 20.0, 230)] if 5 <= n < 75 else []
        return [(160, 60, 22, 230), *passing]

    found = person(tracked(film(tmp_path / "a.mp4", 80, where), DiscDetector(), every=10), tmp_path)
    assert all(frame.sightings for frame in found)
    assert np.abs(middles(found) - (160, 60)).max() < 3


def test_a_film_without_a_face_has_nobody(tmp_path: Path) -> None:
    frames = tracked(film(tmp_path / "a.mp4", 30, lambda n: []), DiscDetector(), every=7)
    assert len(frames) == 30
    assert write_tracks(tmp_path / "tracks.parquet", frames) is None


def test_tracks_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    def where(n: int) -> list[tuple[float, float, float, int]]:
        return [(60 + 2 * n, 55, 24, 230), (240 - 2 * n, 110, 22, 230)] if n % 20 else []

    frames = tracked(film(tmp_path / "a.mp4", 60, where), DiscDetector(), every=4)
    track = write_tracks(tmp_path / "tracks.parquet", frames)
    assert track is not None
    for written, read in zip(frames, read_track(tmp_path / "tracks.parquet", track), strict=True):
        own = [sighting for sighting in written.sightings if sighting.track == track]
        assert (read.number, read.source, read.time, read.faces) == (
            written.number,
            written.source,
            written.time,
            written.faces,
        )
        assert len(read.sightings) == len(own)
        for before, after in zip(own, read.sightings, strict=True):
            assert after.landmarks == pytest.approx(before.landmarks, abs=1e-4)
            assert after.detected == before.detected
