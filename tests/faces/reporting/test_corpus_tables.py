import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depression_vr.data.table import CsvTable
from depression_vr.data.videos import RawVideo
from depression_vr.errors import UserError
from depression_vr.faces.aligning.alignment import Similarity
from depression_vr.faces.aligning.measures import HeadPose
from depression_vr.faces.aligning.quality_summary import quality_summary
from depression_vr.faces.aligning.quality_table import Aligned, QualityTable
from depression_vr.faces.aligning.smoothing import Pose
from depression_vr.faces.output import QUALITY, SUMMARY, TRACKS, Output
from depression_vr.faces.reporting.corpus_tables import of_corpus, video_records, write_tables
from depression_vr.faces.tracking.track_table import FrameFaces, write_tracks
from depression_vr.files import write_json


def raw(video_id: str, label: str = "12", partition: str = "training", task: str = "Freeform") -> RawVideo:
    return RawVideo(
        video_id, Path("/raw") / f"{video_id}.mp4", label, partition, "203", task, f"r-{video_id}"
    )


def finish(output: Output, video: RawVideo, frames: int = 4) -> None:
    """Finish a video of so many frames, of which the first is lost."""
    with output.unfinished(video) as folder:
        tracks = [FrameFaces(number, number, number / 25, 1, ()) for number in range(1, frames + 1)]
        write_tracks(folder / TRACKS, tracks)
        with QualityTable(folder / QUALITY) as table:
            table.add(Pose(tracks[0], "lost", None), None)
            for frame in tracks[1:]:
                aligned = Aligned(Similarity(0.5, 0, 0, 0), HeadPose(1, 2, 3), 100, 120)
                table.add(Pose(frame, "tracked", np.ones((68, 2))), aligned)
                Image.new("RGB", (16, 16)).save(folder / f"frame_{frame.number:06d}.jpg")
        known = {name: getattr(video, name) for name in video.__dataclass_fields__ if name != "path"}
        extra = {
            "source": video.path.name,
            "damage": None,
            "packages": {"av": "14"},
            "fingerprint": {"fps": None},
        }
        write_json(folder / SUMMARY, {**known, **quality_summary(folder / QUALITY), **extra})


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "faces")


def test_training_reads_the_manifest_as_what_was_preprocessed(output: Output) -> None:
    videos = [
        raw("203_1", "7", "development"),
        raw('a, "b"/ü #1 50%', "45", "test", ""),
        raw("301_1", "0", "training", "Northwind"),
    ]
    for video in reversed(videos):
        finish(output, video)

    write_tables(output, video_records(output))

    manifest = CsvTable(output.root / "manifest.csv").manifest()
    read = manifest.table.to_dict("records")
    assert [row["path"] for row in read] == [str(output.folder(video)) for video in videos]
    for row, video in zip(read, videos, strict=True):
        assert row["label"] == float(video.label)
        for name in ("video_id", "partition", "subject", "task", "recording"):
            assert row[name] == getattr(video, name)
    assert [len(folder) for folder in manifest.folders] == [3, 3, 3]


def test_manifest_has_relative_paths_and_its_columns_in_order(output: Output) -> None:
    finish(output, raw("203_1"))

    write_tables(output, video_records(output))

    assert (output.root / "manifest.csv").read_text() == (
        "path,label,partition,subject,task,recording,video_id\n"
        "training/Freeform/203_1,12,training,203,Freeform,r-203_1,203_1\n"
    )


def test_corrected_labels_arrive_without_preprocessing_again(output: Output) -> None:
    for video in (raw("203_1", "12"), raw("204_1", "13")):
        finish(output, video)

    write_tables(output, of_corpus(video_records(output), [raw("203_1", "21"), raw("999_1", "5")], output))

    labels = {row["video_id"]: row["label"] for row in rows(output.root / "manifest.csv")}
    assert labels == {"203_1": "21"}


def test_videos_of_another_corpus_are_in_no_table_of_this_one(output: Output) -> None:
    for video in (raw("203_1", "12"), raw("204_1", "13")):
        finish(output, video)

    write_tables(output, of_corpus(video_records(output), [raw("204_1", "13")], output))

    for table in ("manifest.csv", "quality.csv"):
        assert [row["video_id"] for row in rows(output.root / table)] == ["204_1"]


def test_videos_without_label_and_partition_are_reported_by_training(output: Output) -> None:
    finish(output, raw("interview", label="", partition=""))

    write_tables(output, video_records(output))

    table = output.root / "manifest.csv"
    assert (
        rows(table)[0]["path"] == output.folder(raw("interview", "", "")).relative_to(output.root).as_posix()
    )
    with pytest.raises(UserError) as error:
        CsvTable(table).manifest()
    problems = [(problem.where, problem.what) for problem in error.value.problems]
    assert (f"{table} line 2", "the label is missing") in problems
    assert any(where == f"{table} line 2" and "partition is missing" in what for where, what in problems)


def test_quality_has_a_row_for_finished_and_failed_videos(output: Output) -> None:
    finish(output, raw("203_1"), frames=5)
    output.note_failure(raw("204_1"), "no face was found in the whole video")

    returned = write_tables(output, video_records(output))

    finished, failed = rows(output.root / "quality.csv")
    assert list(finished)[:5] == ["video_id", "partition", "task", "status", "reason"]
    assert (finished["status"], finished["reason"]) == ("finished", "")
    assert (finished["frames"], finished["lost"], finished["seen_rate"]) == ("5", "1", "0.8")
    assert finished["damage"] == ""
    assert not {"fingerprint", "packages", "label", "subject", "recording"} & {*finished}
    assert failed["video_id"] == "204_1"
    assert (failed["status"], failed["reason"]) == ("failed", "no face was found in the whole video")
    assert failed["frames"] == ""
    assert [row["video_id"] for row in returned] == ["203_1", "204_1"]
    assert len(rows(output.root / "manifest.csv")) == 1


def test_finished_video_that_could_not_be_made_again_stays_finished(output: Output) -> None:
    finish(output, raw("203_1"))
    output.note_failure(raw("203_1"), "the disk is full")

    write_tables(output, video_records(output))

    (row,) = rows(output.root / "quality.csv")
    assert (row["status"], row["reason"], row["frames"]) == ("finished", "the disk is full", "4")
    assert len(rows(output.root / "manifest.csv")) == 1


def test_video_whose_frames_are_gone_is_not_for_training(output: Output) -> None:
    finish(output, raw("203_1"))
    finish(output, raw("204_1"))
    next(output.folder(raw("203_1")).glob("*.jpg")).unlink()

    write_tables(output, video_records(output))

    assert [row["video_id"] for row in rows(output.root / "manifest.csv")] == ["204_1"]
    damaged, whole = rows(output.root / "quality.csv")
    assert (damaged["video_id"], damaged["status"], damaged["frames"]) == ("203_1", "failed", "")
    assert "missing" in damaged["reason"]
    assert whole["status"] == "finished"


def test_tables_do_not_depend_on_the_place_or_on_the_order_of_work(tmp_path: Path) -> None:
    contents = []
    for place, order in (("here", (1, -1)), ("elsewhere/deep", (-1, 1))):
        output = Output(tmp_path / place)
        for step in order:
            video = raw("203_1" if step > 0 else "204_1")
            finish(output, video)
        failed = RawVideo("9", tmp_path / place / "raw" / "9.mp4", "", "test", "9", "", "9")
        output.note_failure(failed, f"{failed.path}: Permission denied")
        write_tables(output, video_records(output))
        contents.append([(output.root / name).read_bytes() for name in ("manifest.csv", "quality.csv")])

    assert contents[0] == contents[1]
    assert b"9.mp4: Permission denied" in contents[0][1]
    assert str(tmp_path).encode() not in b"".join(contents[0])


def test_nothing_finished_gives_a_header_only(output: Output) -> None:
    output.note_failure(raw("204_1"), "no face was found in the whole video")

    write_tables(output, video_records(output))

    assert rows(output.root / "manifest.csv") == []
    with pytest.raises(UserError, match="no rows"):
        CsvTable(output.root / "manifest.csv").manifest()
