"""AVEC2013 and AVEC2014 on disk: what is found, and what is refused and how it is told."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from depression_vr.data.avec import Avec2013, Avec2014
from depression_vr.errors import UserError

RECORDINGS = {"203_1": "Training", "215_2": "Training", "220_1": "Development", "230_3": "Testing"}
SCORES = {"203_1": 3, "215_2": 45, "220_1": 0, "230_3": 63}


def write_frames(folder: Path, count: int = 1, suffix: str = ".jpg") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(1, count + 1):
        Image.new("RGB", (2, 2)).save(folder / f"frame_{frame:06d}{suffix}")
    return folder


def label_file(root: Path, recording: str) -> Path:
    partition = RECORDINGS[recording]
    return root / "labels" / f"{partition}_DepressionLabels" / f"{recording}_Depression.csv"


def write_label(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def frames_2014(root: Path, recording: str, task: str) -> Path:
    return root / "videos" / RECORDINGS[recording] / task / f"{recording}_{task}_video"


@pytest.fixture
def avec2014(tmp_path: Path) -> Path:
    root = tmp_path / "AVEC2014"
    for recording, score in SCORES.items():
        write_label(label_file(root, recording), f"{score}\n")
        for task in ("Freeform", "Northwind"):
            write_frames(frames_2014(root, recording, task))
    return root


@pytest.fixture
def avec2013(tmp_path: Path) -> Path:
    root = tmp_path / "AVEC2013"
    for recording, score in SCORES.items():
        write_label(root / "DepressionLabels" / f"{recording}_Depression.csv", str(score))
        write_frames(root / RECORDINGS[recording] / "Video" / f"{recording}_cut_combined")
    return root


def write_faces(corpus: Avec2013 | Avec2014, faces: Path) -> Path:
    """What ``python -m depression_vr.preprocess ... out=FACES`` writes of a corpus."""
    for video in corpus.raw_videos():
        write_frames(faces / video.folder)
    return faces


def refused(corpus: Avec2013 | Avec2014) -> UserError:
    with pytest.raises(UserError) as raised:
        corpus.manifest()
    return raised.value


def problems(corpus: Avec2013 | Avec2014) -> list[str]:
    return [str(problem) for problem in refused(corpus).problems]


# --- what is found


def test_avec2014_becomes_one_row_per_task_by_partition_recording_and_task(avec2014: Path) -> None:
    manifest = Avec2014(avec2014).manifest()

    table = manifest.table
    assert manifest.corpus == "avec2014"
    assert manifest.maximum == 63
    assert table["video_id"].tolist() == [
        f"{recording}_{task}" for recording in RECORDINGS for task in ("Freeform", "Northwind")
    ]
    assert table["label"].tolist() == [3, 3, 45, 45, 0, 0, 63, 63]
    assert table["partition"].tolist() == ["training"] * 4 + ["development"] * 2 + ["test"] * 2
    assert table["subject"].tolist() == ["203", "203", "215", "215", "220", "220", "230", "230"]
    assert table["task"].tolist() == ["Freeform", "Northwind"] * 4
    assert table["recording"].tolist() == [recording for recording in RECORDINGS for _ in range(2)]
    assert Path(table["path"][0]) == frames_2014(avec2014, "203_1", "Freeform")
    assert [len(folder) for folder in manifest.folders] == [1] * 8


def test_avec2013_becomes_one_row_per_recording(avec2013: Path) -> None:
    table = Avec2013(avec2013).manifest().table

    assert table["video_id"].tolist() == list(RECORDINGS)
    assert table["recording"].tolist() == list(RECORDINGS)
    assert table["label"].tolist() == [3, 45, 0, 63]
    assert set(table["task"]) == {"Combined"}


@pytest.mark.parametrize(
    "name",
    ["203_1_Freeform_video", "203_1_Freeform_video_aligned", "203_1_Freeform", "203_1_cut_combined", "203_1"],
)
def test_a_frames_folder_may_have_any_name_with_the_recording_in_it(avec2014: Path, name: str) -> None:
    usual = frames_2014(avec2014, "203_1", "Freeform")
    usual.rename(usual.with_name(name))
    table = Avec2014(avec2014).manifest().table
    assert Path(table["path"][0]).name == name


@pytest.mark.parametrize("name", ["203_12_Freeform", "203_1x", "v203_1", "20203_1"])
def test_a_recording_id_within_a_longer_one_is_not_the_recording(avec2014: Path, name: str) -> None:
    usual = frames_2014(avec2014, "203_1", "Freeform")
    usual.rename(usual.with_name(name))
    (told,) = problems(Avec2014(avec2014))
    assert "recording 203_1 has Northwind but no Freeform" in told


@pytest.mark.parametrize(
    "names", [("training", "development", "testing"), ("Train", "Dev", "Test"), ("TRAINING", "devel", "test")]
)
def test_partitions_and_tasks_may_be_written_in_any_case(avec2014: Path, names: tuple[str, str, str]) -> None:
    expected = Avec2014(avec2014).manifest().table.drop(columns="path")
    for partition, name in zip(("Training", "Development", "Testing"), names, strict=True):
        folder = avec2014 / "videos" / partition
        (folder / "Freeform").rename(folder / "freeform_")
        (folder / "freeform_").rename(folder / "freeform")
        folder.rename(folder.with_name(f"moving_{name}")).rename(folder.with_name(name))
    assert Avec2014(avec2014).manifest().table.drop(columns="path").equals(expected)


def test_preprocessed_faces_are_found_under_the_image_root(avec2014: Path, tmp_path: Path) -> None:
    faces = tmp_path / "FACES"
    for recording, partition in zip(RECORDINGS, ("training", "training", "development", "test"), strict=True):
        for task in ("Freeform", "Northwind"):
            write_frames(faces / partition / task / f"{recording}_{task}")

    table = Avec2014(avec2014, image_root=faces).manifest().table

    assert Path(table["path"][0]) == faces / "training" / "Freeform" / "203_1_Freeform"
    assert len(table) == 8


def test_avec2013_is_found_without_the_level_video_and_where_preprocessing_writes_it(avec2013: Path) -> None:
    usual = avec2013 / "Training" / "Video" / "203_1_cut_combined"
    usual.rename(avec2013 / "Training" / "203_1")
    write_frames(avec2013 / "faces" / "test" / "Combined" / "230_3")
    shutil.rmtree(avec2013 / "Testing")

    table = Avec2013(avec2013).manifest().table

    assert Path(table["path"][0]) == avec2013 / "Training" / "203_1"
    assert Path(table["path"][3]) == avec2013 / "faces" / "test" / "Combined" / "230_3"


@pytest.mark.parametrize(
    "folder",
    ["DepressionLabels", "Training/DepressionLabels", "a/b/train_depressionlabels", "DepressionLabels/"],
)
def test_labels_lie_in_any_of_their_folders(avec2014: Path, folder: str) -> None:
    usual = label_file(avec2014, "203_1")
    write_label(avec2014 / folder / usual.name, usual.read_text())
    usual.unlink()
    assert Avec2014(avec2014).manifest().table["label"][0] == 3


@pytest.mark.parametrize("text", [b" 21 \r\n", b"\xef\xbb\xbf21", b"\n21\n\n", b"21.0"])
def test_a_label_may_have_white_space_or_a_byte_order_mark_about_it(avec2014: Path, text: bytes) -> None:
    write_label(label_file(avec2014, "203_1"), text)
    assert Avec2014(avec2014).manifest().table["label"][0] == 21


def test_copies_of_a_label_that_agree_are_fine(avec2014: Path) -> None:
    write_label(avec2014 / "DepressionLabels" / "203_1_Depression.csv", "3")
    assert len(Avec2014(avec2014).manifest().table) == 8


def test_one_task_alone_can_be_asked_for(avec2014: Path) -> None:
    for recording in RECORDINGS:
        shutil.rmtree(frames_2014(avec2014, recording, "Northwind"))
    for tasks in (["Freeform"], ["freeform"]):
        table = Avec2014(avec2014, tasks=tasks).manifest().table
        assert table["video_id"].tolist() == [f"{recording}_Freeform" for recording in RECORDINGS]


def test_the_order_of_tasks_asked_for_changes_no_row(avec2014: Path) -> None:
    either = Avec2014(avec2014, tasks=["Northwind", "Freeform"]).manifest()
    assert either.fingerprint == Avec2014(avec2014).manifest().fingerprint


def test_a_subject_in_two_partitions_is_only_warned_of(avec2014: Path) -> None:
    write_label(avec2014 / "DepressionLabels" / "203_2_Depression.csv", "5")
    for task in ("Freeform", "Northwind"):
        write_frames(avec2014 / "videos" / "Testing" / task / f"203_2_{task}_video")

    manifest = Avec2014(avec2014).manifest()

    assert len(manifest.table) == 10
    assert [str(warning) for warning in manifest.warnings] == [
        "subject 203: is in the partitions training and test"
    ]


def test_images_and_empty_folders_elsewhere_do_not_matter(avec2014: Path) -> None:
    write_frames(avec2014)
    write_frames(avec2014 / "videos" / "Training")
    write_frames(avec2014 / "documentation")
    (avec2014 / "videos" / "Training" / "Freeform" / "203_1_features").mkdir()
    (avec2014 / ".cache" / "Training" / "Freeform" / "203_1").mkdir(parents=True)
    assert len(Avec2014(avec2014).manifest().table) == 8


def test_what_lies_within_a_folder_of_frames_is_not_searched(avec2014: Path) -> None:
    write_frames(frames_2014(avec2014, "203_1", "Freeform") / "masks" / "203_1_Freeform")
    assert len(Avec2014(avec2014).manifest().table) == 8


def test_symbolic_links_are_followed_and_loops_are_not(avec2014: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (avec2014 / "videos").rename(disk)
    (avec2014 / "videos").symlink_to(disk, target_is_directory=True)
    (disk / "Training" / "back").symlink_to(avec2014, target_is_directory=True)
    assert len(Avec2014(avec2014).manifest().table) == 8


def test_the_fingerprint_is_of_the_content_not_of_the_place(avec2014: Path, tmp_path: Path) -> None:
    before = Avec2014(avec2014).manifest().fingerprint
    moved = tmp_path / "moved"
    avec2014.rename(moved)
    assert Avec2014(moved).manifest().fingerprint == before

    frame = frames_2014(moved, "203_1", "Freeform") / "frame_000001.jpg"
    renamed = frame.rename(frame.with_name("frame_000002.jpg"))
    assert Avec2014(moved).manifest().fingerprint != before

    renamed.rename(frame)
    write_label(label_file(moved, "203_1"), "4")
    assert Avec2014(moved).manifest().fingerprint != before


# --- what is refused


@pytest.mark.parametrize(
    ("corpus", "home"),
    [(Avec2014, "http://avec2014-db.sspnet.eu/"), (Avec2013, "http://avec2013-db.sspnet.eu/")],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_corpus_that_is_not_there_is_one_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: type, home: str, exists: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if exists:
        (tmp_path / "nowhere").mkdir()

    told = str(refused(corpus("nowhere")))

    assert ("(No such file or directory)" in told) != exists

    assert f"{tmp_path / 'nowhere'}: no label file **/DepressionLabels/203_1_Depression.csv" in told
    assert f"{tmp_path / 'nowhere'}: no folder of images **/{{Training,Development,Testing}}/" in told
    assert "data.root" in told
    assert home in told
    assert "licence" in told
    assert "data=synthetic" in told


def test_frames_without_any_label_are_one_error(avec2014: Path) -> None:
    shutil.rmtree(avec2014 / "labels")
    error = refused(Avec2014(avec2014))
    assert "its labels are not where" in error.what
    assert len(error.problems) == 1


def test_labels_without_any_frames_are_one_error_about_the_image_root(avec2014: Path, tmp_path: Path) -> None:
    error = refused(Avec2014(avec2014, image_root=tmp_path / "FACES"))
    assert "its frames are not where" in error.what
    assert "data.image_root" in error.where
    assert {problem.where for problem in error.problems} == {str(tmp_path / "FACES")}


def test_videos_of_which_no_frames_were_extracted_are_one_error(avec2014: Path, tmp_path: Path) -> None:
    for recording in RECORDINGS:
        for task in ("Freeform", "Northwind"):
            folder = frames_2014(avec2014, recording, task)
            shutil.rmtree(folder)
            folder.with_suffix(".mp4").write_bytes(b"video")

    error = refused(Avec2014(avec2014))

    assert "8 videos" in error.what
    command = f"python -m depression_vr.preprocess data=avec2014 data.root={avec2014} out=FACES"
    assert error.fix.startswith(f"extract them with `{command}` and set data.image_root=FACES; ")
    faces = write_faces(Avec2014(avec2014), tmp_path / "FACES")
    assert len(Avec2014(avec2014, image_root=faces).manifest().table) == 8


def test_one_video_of_which_no_frames_were_extracted_is_named(avec2014: Path, tmp_path: Path) -> None:
    folder = frames_2014(avec2014, "203_1", "Freeform")
    shutil.rmtree(folder)
    video = folder.with_suffix(".mp4")
    video.write_bytes(b"video")

    (told,) = problems(Avec2014(avec2014))

    assert told == (
        f"{video}: its frames have not been extracted; extract them with `python -m depression_vr.preprocess "
        f"data=avec2014 data.root={avec2014} out=FACES` and set data.image_root=FACES"
    )
    write_faces(Avec2014(avec2014), avec2014 / "FACES")
    assert len(Avec2014(avec2014).manifest().table) == 8


def test_videos_that_an_interrupted_extraction_has_left_are_one_problem(
    avec2014: Path, tmp_path: Path
) -> None:
    faces = tmp_path / "FACES"
    (avec2014 / "videos").rename(faces)
    for task in ("Freeform", "Northwind"):
        shutil.rmtree(faces / "Training" / task / f"203_1_{task}_video")
        video = avec2014 / "Training" / task / f"203_1_{task}_video.mp4"
        video.parent.mkdir(parents=True)
        video.write_bytes(b"video")

    (told,) = problems(Avec2014(avec2014, image_root=faces))

    assert told == (
        f"{avec2014}/Training/Freeform/203_1_Freeform_video.mp4: frames of 2 videos, such as this one, "
        "have not been extracted; extract them with `python -m depression_vr.preprocess data=avec2014 "
        f"data.root={avec2014} out={faces}`"
    )


def test_a_video_under_the_root_of_which_the_image_root_has_no_frames_is_named(
    avec2014: Path, tmp_path: Path
) -> None:
    faces = tmp_path / "FACES"
    (avec2014 / "videos").rename(faces)
    shutil.rmtree(faces / "Training" / "Freeform" / "203_1_Freeform_video")
    video = avec2014 / "Training" / "Freeform" / "203_1_Freeform_video.mp4"
    video.parent.mkdir(parents=True)
    video.write_bytes(b"video")

    (told,) = problems(Avec2014(avec2014, image_root=faces))

    assert told.startswith(f"{video}: its frames have not been extracted; extract them with `python -m ")
    write_faces(Avec2014(avec2014), faces)
    assert len(Avec2014(avec2014, image_root=faces).manifest().table) == 8


def test_videos_under_the_image_root_alone_are_extracted_from_there(avec2014: Path, tmp_path: Path) -> None:
    raw = tmp_path / "RAW"
    for recording, partition in RECORDINGS.items():
        for task in ("Freeform", "Northwind"):
            video = raw / partition / task / f"{recording}_{task}_video.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            video.write_bytes(b"video")
    shutil.rmtree(avec2014 / "videos")
    assert f"data.root={raw} out=FACES" in refused(Avec2014(avec2014, image_root=raw)).fix


def test_an_empty_frames_folder_is_named(avec2014: Path) -> None:
    folder = frames_2014(avec2014, "203_1", "Freeform")
    (folder / "frame_000001.jpg").unlink()
    (folder / "notes.txt").write_text("nothing here")
    (told,) = problems(Avec2014(avec2014))
    assert told.startswith(f"{folder}: the frames folder holds no .jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(avec2014: Path) -> None:
    folder = avec2014 / "videos" / "Training" / "Northwind"
    folder.chmod(0)
    told = problems(Avec2014(avec2014, tasks=["Freeform"]))
    folder.chmod(0o755)
    assert told == [f"{folder}: the folder cannot be read (Permission denied)"]


def test_two_folders_for_one_video_are_refused_with_both_names(avec2014: Path) -> None:
    folder = frames_2014(avec2014, "203_1", "Freeform")
    other = write_frames(folder.with_name("203_1_Freeform_video_aligned"))
    (told,) = problems(Avec2014(avec2014))
    assert told.startswith(
        f"{folder} and {other}: 2 folders of frames for recording 203_1, Freeform; keep one, or"
    )


def test_two_folders_for_one_recording_of_avec2013_are_refused(avec2013: Path) -> None:
    folder = avec2013 / "Training" / "Video" / "203_1_cut_combined"
    other = write_frames(avec2013 / "Training" / "Video" / "video_203_1")
    (told,) = problems(Avec2013(avec2013))
    assert str(folder) in told
    assert str(other) in told


def test_frames_without_a_label_are_refused(avec2014: Path) -> None:
    label_file(avec2014, "203_1").unlink()
    (told,) = problems(Avec2014(avec2014))
    assert str(frames_2014(avec2014, "203_1", "Freeform")) in told
    assert "there is no 203_1_Depression.csv in a DepressionLabels folder" in told


def test_a_longer_recording_id_is_another_recording(avec2014: Path) -> None:
    other = write_frames(avec2014 / "videos" / "Training" / "Freeform" / "1203_1_Freeform_video")
    told = problems(Avec2014(avec2014, tasks=["Freeform"]))
    assert told == [f"{other}: no label: there is no 1203_1_Depression.csv in a DepressionLabels folder"]


def test_a_label_without_frames_is_refused(avec2014: Path) -> None:
    for task in ("Freeform", "Northwind"):
        shutil.rmtree(frames_2014(avec2014, "203_1", task))
    (told,) = problems(Avec2014(avec2014))
    assert told.startswith(f"{label_file(avec2014, '203_1')}: a label but no folder of frames {avec2014}/")


def test_a_task_that_a_recording_lacks_is_refused_with_the_setting_that_does_without(avec2014: Path) -> None:
    shutil.rmtree(frames_2014(avec2014, "203_1", "Northwind"))
    (told,) = problems(Avec2014(avec2014))
    assert told.startswith(str(frames_2014(avec2014, "203_1", "Freeform")))
    assert "recording 203_1 has Freeform but no Northwind; data.tasks=[Freeform]" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "the label file is empty"),
        (b" \n", "the label file is empty"),
        (b"mild", "does not hold one integer but 'mild'"),
        (b"12.5", "does not hold one integer but '12.5'"),
        (b"12 13", "does not hold one integer but '12 13'"),
        (b"nan", "does not hold one integer but 'nan'"),
        (b"64", "the label 64 is outside 0..63"),
        (b"-1", "the label -1 is outside 0..63"),
        (b"9" * 400, "is outside 0..63"),
        ("12".encode("utf-16"), "the label file is not UTF-8 text"),
    ],
)
def test_a_label_file_that_is_not_one_score_is_named_once(avec2014: Path, text: bytes, told: str) -> None:
    path = write_label(label_file(avec2014, "203_1"), text)
    (problem,) = problems(Avec2014(avec2014))
    assert problem.startswith(f"{path}: ")
    assert told in problem


@pytest.mark.parametrize("name", ["203_Depression.csv", "20301_1_Depression.csv", "x_203_1_Depression.csv"])
def test_a_label_file_that_names_no_recording_is_refused(avec2014: Path, name: str) -> None:
    path = write_label(avec2014 / "DepressionLabels" / name, "3")
    (told,) = problems(Avec2014(avec2014))
    assert told == f"{path}: the name has no recording id such as 203_1 before _Depression"


def test_label_files_that_disagree_are_refused(avec2014: Path) -> None:
    other = write_label(avec2014 / "DepressionLabels" / "203_1_Depression.csv", "4")
    (told,) = problems(Avec2014(avec2014))
    assert str(other) in told
    assert str(label_file(avec2014, "203_1")) in told
    assert "different labels of recording 203_1: 3 and 4" in told


def test_a_recording_in_two_partitions_is_refused_once(avec2014: Path) -> None:
    for task in ("Freeform", "Northwind"):
        write_frames(avec2014 / "videos" / "Testing" / task / f"203_1_{task}_video")
    (told,) = problems(Avec2014(avec2014))
    assert "recording 203_1 is in 2 partitions: training and test" in told


def test_a_label_of_another_partition_than_its_frames_is_refused(avec2014: Path) -> None:
    usual = label_file(avec2014, "203_1")
    usual.rename(avec2014 / "labels" / "Testing_DepressionLabels" / usual.name)
    (told,) = problems(Avec2014(avec2014))
    assert "recording 203_1 is in 2 partitions: training and test" in told


def test_label_files_of_two_partitions_are_refused(avec2014: Path) -> None:
    write_label(avec2014 / "labels" / "Testing_DepressionLabels" / "203_1_Depression.csv", "3")
    (told,) = problems(Avec2014(avec2014))
    assert "recording 203_1 is in two partitions: test and training" in told


@pytest.mark.parametrize("partition", ["Training", "Development", "Testing"])
def test_every_partition_must_have_a_video(avec2014: Path, partition: str) -> None:
    shutil.rmtree(avec2014 / "videos" / partition)
    shutil.rmtree(avec2014 / "labels" / f"{partition}_DepressionLabels")
    (told,) = problems(Avec2014(avec2014))
    name = "test" if partition == "Testing" else partition.lower()
    assert told == f"{avec2014}: the partition {name} has no video"


@pytest.mark.parametrize("tasks", [["Freefrom"], ["Freeform", "Reading"], []])
def test_a_task_that_avec2014_does_not_have_is_refused(avec2014: Path, tasks: list[str]) -> None:
    error = refused(Avec2014(avec2014, tasks=tasks))
    assert error.where == "config key data.tasks"
    assert "Freeform, Northwind" in error.fix


def test_all_problems_are_in_one_report(avec2014: Path) -> None:
    write_label(label_file(avec2014, "203_1"), "high")
    label_file(avec2014, "215_2").unlink()
    empty = frames_2014(avec2014, "220_1", "Freeform")
    (empty / "frame_000001.jpg").unlink()
    shutil.rmtree(frames_2014(avec2014, "230_3", "Northwind"))

    error = refused(Avec2014(avec2014))

    told = str(error)
    assert len(error.problems) == 4
    assert "the corpus avec2014 has 4 problems" in told
    assert f"{label_file(avec2014, '203_1')}: the label file does not hold one integer" in told
    assert "there is no 215_2_Depression.csv" in told
    assert f"{empty}: the frames folder holds no" in told
    assert "recording 230_3 has Freeform but no Northwind" in told
