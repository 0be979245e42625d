"""One video, from a real film of a real face to aligned frames."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from depression_vr.data.frames import FrameFolder
from depression_vr.data.videos import RawVideo, videos_in
from depression_vr.faces.aligning.alignment import Similarity
from depression_vr.faces.aligning.crops import Crops
from depression_vr.faces.backends.dlib import Dlib
from depression_vr.faces.output import BusyError, OccupiedError, Output
from depression_vr.faces.pipeline import NoFaceError, Preprocessing, plan, preprocess_video
from depression_vr.faces.tracking.face_tracking import FaceTracking
from films import write_film
from photograph import picture, placed, swaying

pytest.importorskip("dlib", reason="the extra [dlib] is not installed")

SECONDS = 3


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of the photograph, moved by `swaying`."""
    path = tmp_path_factory.mktemp("film") / "swaying.mp4"
    return write_film(path, [picture([motion]) for motion in swaying(30 * SECONDS)], options={"crf": "16"})


def settings(every: int = 10, **crops: object) -> Preprocessing:
    return Preprocessing(FaceTracking(Dlib(), every=every), Crops(**crops))


def preprocessed(film: Path, out: Path, how: Preprocessing) -> tuple[Path, pd.DataFrame, dict]:
    """The folder of frames, the quality table and the summary of a video."""
    (video,) = videos_in(film)
    summary = preprocess_video(video, how, Output(out), lambda: None)
    folder = Output(out).folder(video)
    return folder, pd.read_parquet(folder / "quality.parquet"), summary


def landmarks(table: pd.DataFrame) -> np.ndarray:
    """Landmarks ``(N, 68, 2)`` of a quality table."""
    return np.stack([table[[f"{axis}_{point}" for point in range(68)]] for axis in "xy"], axis=2)


def transforms(table: pd.DataFrame) -> list[Similarity]:
    columns = ["align_a", "align_b", "align_x", "align_y"]
    return [Similarity(*map(float, row)) for row in table[columns].to_numpy()]


def aligned(table: pd.DataFrame) -> np.ndarray:
    """Landmarks in pixels of the aligned frames."""
    pairs = zip(transforms(table), landmarks(table), strict=True)
    return np.array([transform.apply(points) for transform, points in pairs])


@pytest.mark.parametrize(("every", "smoothing"), [(10, 0.1), (1, 0)])
def test_aligned_landmarks_stay_in_place_while_the_photograph_moves(
    film: Path, tmp_path: Path, every: int, smoothing: float
) -> None:
    _, table, _ = preprocessed(film, tmp_path, settings(every, smoothing=smoothing))
    found = aligned(table)
    distances = np.linalg.norm(found - found.mean(axis=0), axis=2)
    assert len(found) == 30 * SECONDS
    assert distances.mean(axis=0).max() < 1.5
    if smoothing:
        assert distances.max() < 1.5


def test_a_point_of_the_photograph_stays_at_its_place_in_the_frames(film: Path, tmp_path: Path) -> None:
    """Independent of the landmarks: known points go through the known motion and the found transform."""
    _, table, _ = preprocessed(film, tmp_path, settings())
    points = np.array([[205.0, 110.0], [245.0, 110.0], [225.0, 145.0], [225.0, 120.0]])
    pairs = zip(transforms(table), swaying(30 * SECONDS), strict=True)
    found = np.array([transform.apply(motion.apply(points)) for transform, motion in pairs])
    assert np.linalg.norm(found - found.mean(axis=0), axis=2).max() < 1.5


def test_the_known_motion_is_recovered(film: Path, tmp_path: Path) -> None:
    _, table, _ = preprocessed(film, tmp_path, settings())
    motions, found = swaying(30 * SECONDS), transforms(table)
    turns = np.array(
        [motion.angle + transform.angle for motion, transform in zip(motions, found, strict=True)]
    )
    scales = np.array(
        [motion.scale * transform.scale for motion, transform in zip(motions, found, strict=True)]
    )
    assert np.ptp(turns) < 1.5  # degrees, of 20 that the photograph turns
    assert scales.std() / scales.mean() < 0.01  # of 24 per cent that it grows and shrinks
    assert table["roll"].corr(pd.Series([motion.angle for motion in motions])) > 0.99


def test_following_gives_the_landmarks_of_searching_every_frame(film: Path, tmp_path: Path) -> None:
    every_tenth = preprocessed(film, tmp_path / "10", settings(10))[1]
    every_one = preprocessed(film, tmp_path / "1", settings(1))[1]
    difference = np.linalg.norm(aligned(every_tenth) - aligned(every_one), axis=2)
    assert np.sqrt(np.square(difference).mean()) < 1
    assert (every_tenth["state"] == "detected").sum() == 1 + 30 * SECONDS // 10


def test_frames_and_tables_agree(film: Path, tmp_path: Path) -> None:
    folder, table, summary = preprocessed(film, tmp_path, settings(size=96))
    names = [name.decode() for name in FrameFolder.listed(folder).names]
    assert names == [f"frame_{number:06d}.jpg" for number in table["frame"]]
    assert Image.open(folder / names[0]).size == (96, 96)
    assert summary["frames"] == summary["frames_written"] == summary["source_frames"] == 30 * SECONDS
    assert summary["lost"] == summary["interpolated"] == 0
    assert (table["state"] == "detected").sum() == summary["detected"]
    assert summary["brightness_mean"] == pytest.approx(table["brightness"].mean(), rel=1e-4)
    assert summary["sharpness_std"] == pytest.approx(table["sharpness"].std(ddof=0), rel=1e-3)
    assert np.diff(table["time"]) == pytest.approx(1 / 30, abs=1e-3)
    assert (table["box_x1"] - table["box_x0"]).between(80, 260).all()


def test_png_frames_hold_what_was_cut_out(film: Path, tmp_path: Path) -> None:
    png, *_ = preprocessed(film, tmp_path / "png", settings(format="png", size=64))
    jpeg, *_ = preprocessed(film, tmp_path / "jpg", settings(size=64))
    first, same = Image.open(png / "frame_000001.png"), Image.open(jpeg / "frame_000001.jpg")
    assert first.format == "PNG"
    assert np.abs(np.asarray(first, float) - np.asarray(same, float)).mean() < 4


def test_frames_per_second_are_resampled_by_time(film: Path, tmp_path: Path) -> None:
    how = settings(size=64)
    slow = Preprocessing(how.tracker, how.crops, fps=10)
    _, table, summary = preprocessed(film, tmp_path, slow)
    assert len(table) == 10 * SECONDS
    assert table["source_frame"].tolist() == [1 + 3 * number for number in range(10 * SECONDS)]
    assert summary["frame_rate"] == 10


def test_a_face_that_leaves_the_picture_leaves_a_gap_in_the_numbers(tmp_path: Path) -> None:
    motions = swaying(90)
    pictures = [picture([] if 30 <= number < 60 else [motions[0]]) for number in range(90)]
    film = write_film(tmp_path / "leaves.mp4", pictures)
    folder, table, summary = preprocessed(film, tmp_path / "out", settings(5, gap_limit=0.5, size=64))
    lost = table.loc[table["state"] == "lost", "frame"].tolist()
    assert lost == list(range(31, 61))
    assert not (folder / "frame_000031.jpg").exists()
    assert (folder / "frame_000061.jpg").exists()
    assert summary["lost"] == summary["longest_gap_frames"] == 30
    assert summary["longest_gap_seconds"] == pytest.approx(1.0, abs=0.04)
    assert table.loc[table["state"] == "lost", "sharpness"].isna().all()


def test_a_short_gap_is_bridged(tmp_path: Path) -> None:
    motions = swaying(60)
    pictures = [picture([] if 30 <= number < 36 else [motions[0]]) for number in range(60)]
    film = write_film(tmp_path / "hides.mp4", pictures)
    _, table, summary = preprocessed(film, tmp_path / "out", settings(5, gap_limit=0.5, size=64))
    assert table.loc[table["state"] == "interpolated", "frame"].tolist() == list(range(31, 37))
    assert summary["frames_written"] == 60


def test_a_video_that_hardly_shows_a_face_fails_and_leaves_nothing(tmp_path: Path) -> None:
    pictures = [picture(swaying(1) if number < 3 else []) for number in range(60)]
    (video,) = videos_in(write_film(tmp_path / "hardly.mp4", pictures))
    with pytest.raises(NoFaceError, match="only 3 of 60 frames"):
        preprocess_video(video, settings(1, size=64), Output(tmp_path / "out"), lambda: None)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
    summary = preprocess_video(
        video, settings(1, size=64, least_written=0.01), Output(tmp_path / "out"), lambda: None
    )
    assert summary["frames_written"] == 3


def test_of_two_people_the_one_who_stays_is_followed(tmp_path: Path) -> None:
    subject = placed(1.1, 0, (120, 190))
    pictures = [
        picture([subject, placed(1.5, 0, (350, 170))] if 20 <= number < 50 else [subject])
        for number in range(70)
    ]
    film = write_film(tmp_path / "two.mp4", pictures)
    _, table, summary = preprocessed(film, tmp_path / "out", settings(5, size=64))
    assert (table["box_x1"] < 240).all()
    assert summary["most_faces"] == 2
    assert table.loc[25:45, "faces"].eq(2).all()
    assert table.loc[60:, "faces"].eq(1).all()


def test_a_finished_video_is_kept_and_only_what_a_setting_affects_is_redone(
    film: Path, tmp_path: Path
) -> None:
    (video,) = videos_in(film)
    output = Output(tmp_path)
    assert plan(video, settings(), output) == ("track", None, ())
    folder, *_ = preprocessed(film, tmp_path, settings(size=64))
    assert plan(video, settings(size=64), output).step == "keep"
    step, _, changed = plan(video, settings(size=96), output)
    assert (step, changed) == ("align", ["crops.size: was 64, is now 96"])
    step, _, changed = plan(video, settings(5, size=64), output)
    assert (step, changed) == ("track", ["tracking.every: was 10, is now 5"])
    (folder / "frame_000007.jpg").unlink()
    assert plan(video, settings(size=64), output).step == "track"
    (folder / "summary.json").write_text("{}")
    assert plan(video, settings(size=64), output).step == "track"


def test_frames_made_anew_from_kept_landmarks_are_those_of_a_whole_run(film: Path, tmp_path: Path) -> None:
    preprocessed(film, tmp_path / "changed", settings(size=64))
    again, *_ = preprocessed(film, tmp_path / "changed", settings(size=96, quality=80))
    once, *_ = preprocessed(film, tmp_path / "once", settings(size=96, quality=80))
    assert contents(again) == contents(once)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_changed_video_is_noticed(film: Path, tmp_path: Path) -> None:
    copy = tmp_path / film.name
    copy.write_bytes(film.read_bytes())
    preprocessed(copy, tmp_path / "out", settings(size=64))
    copy.write_bytes(copy.read_bytes() + b"\0" * 16)
    (video,) = videos_in(copy)
    step, _, changed = plan(video, settings(size=64), Output(tmp_path / "out"))
    assert step == "track"
    assert [change.partition(":")[0] for change in changed] == ["source.video"]


def test_an_error_leaves_nothing_half_written(film: Path, tmp_path: Path) -> None:
    class InterruptedByTestError(Exception):
        pass

    ticks = 0

    def interrupt() -> None:
        nonlocal ticks
        ticks += 1
        if ticks > 30 * SECONDS + 20:
            raise InterruptedByTestError

    (video,) = videos_in(film)
    with pytest.raises(InterruptedByTestError):
        preprocess_video(video, settings(size=64), Output(tmp_path), interrupt)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_frames_never_lie_inside_of_another_videos(tmp_path: Path) -> None:
    output = Output(tmp_path)
    outer, inner = (RawVideo(name, tmp_path / f"{name}.mp4", "", "", name, "", name) for name in ("a", "a/b"))
    for first, second in ((outer, inner), (inner, outer)):
        with output.unfinished(first) as folder:
            (folder / "summary.json").write_text("{}")
        with pytest.raises(OccupiedError), output.unfinished(second):
            pass
        assert (output.folder(first) / "summary.json").is_file()
        shutil.rmtree(tmp_path / "videos")


def test_a_video_is_locked_while_it_is_worked_on(tmp_path: Path) -> None:
    video = RawVideo("a", tmp_path / "a.mp4", "", "", "a", "", "a")
    with Output(tmp_path).locked(video), pytest.raises(BusyError), Output(tmp_path).locked(video):
        pass
    with Output(tmp_path).locked(video):
        pass
