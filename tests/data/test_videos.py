"""Raw videos of every corpus: what is found, what is refused, and that what is written is found again."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

from depression_vr.data.avec import Avec2013, Avec2014
from depression_vr.data.manifest import Corpus
from depression_vr.data.synthetic import SyntheticCorpus
from depression_vr.data.table import CsvTable
from depression_vr.data.videos import RawVideo, videos_in
from depression_vr.errors import UserError

RECORDINGS = {"203_1": "Training", "215_2": "Training", "220_1": "Development", "230_3": "Testing"}
SCORES = {"203_1": 3, "215_2": 45, "220_1": 0, "230_3": 63}
COLUMNS = ("path", "label", "partition", "subject", "task", "recording", "video_id")


def write_video(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"video")
    return path


def write_frames(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in (1, 2):
        Image.new("RGB", (2, 2)).save(folder / f"frame_{frame:06d}.jpg")
    return folder


def write_label(root: Path, recording: str, text: str, folder: str = "DepressionLabels") -> Path:
    path = root / folder / f"{recording}_Depression.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def video_2014(root: Path, recording: str, task: str) -> Path:
    return root / RECORDINGS[recording] / task / f"{recording}_{task}_video.mp4"


@pytest.fixture
def avec2014(tmp_path: Path) -> Path:
    root = tmp_path / "AVEC2014"
    for recording, score in SCORES.items():
        write_label(root, recording, str(score))
        for task in ("Freeform", "Northwind"):
            write_video(video_2014(root, recording, task))
    return root


@pytest.fixture
def avec2013(tmp_path: Path) -> Path:
    root = tmp_path / "AVEC2013"
    for recording, score in SCORES.items():
        write_label(root, recording, str(score))
        write_video(root / RECORDINGS[recording] / "Video" / f"{recording}_cut_combined.mp4")
    return root


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., CsvTable]:
    """A table with these lines, and these video files beside it."""

    def write(*lines: str, files: tuple[str, ...] = ()) -> CsvTable:
        for file in files:
            write_video(tmp_path / file)
        path = tmp_path / "videos.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return CsvTable(path)

    return write


def refused(find: Callable[[], tuple[RawVideo, ...]]) -> UserError:
    with pytest.raises(UserError) as raised:
        find()
    return raised.value


def problems(find: Callable[[], tuple[RawVideo, ...]]) -> list[str]:
    return [str(problem) for problem in refused(find).problems]


def ids(videos: tuple[RawVideo, ...]) -> list[str]:
    return [video.video_id for video in videos]


# --- AVEC


def test_avec2014_has_a_video_per_task_by_partition_recording_and_task(avec2014: Path) -> None:
    videos = Avec2014(avec2014).raw_videos()

    assert ids(videos) == [
        f"{recording}_{task}" for recording in RECORDINGS for task in ("Freeform", "Northwind")
    ]
    assert videos[0] == RawVideo(
        video_id="203_1_Freeform",
        path=video_2014(avec2014, "203_1", "Freeform"),
        label="3",
        partition="training",
        subject="203",
        task="Freeform",
        recording="203_1",
    )
    assert [video.partition for video in videos] == ["training"] * 4 + ["development"] * 2 + ["test"] * 2
    assert videos[-1].folder == PurePosixPath("test/Northwind/230_3_Northwind")


def test_avec2013_has_a_video_per_recording(avec2013: Path) -> None:
    videos = Avec2013(avec2013).raw_videos()

    assert ids(videos) == list(RECORDINGS)
    assert {video.task for video in videos} == {"Combined"}
    assert [video.label for video in videos] == ["3", "45", "0", "63"]
    assert videos[0].folder == PurePosixPath("training/Combined/203_1")


def test_part_of_a_corpus_is_enough(avec2014: Path) -> None:
    shutil.rmtree(avec2014 / "DepressionLabels")
    shutil.rmtree(avec2014 / "Development")
    video_2014(avec2014, "203_1", "Northwind").unlink()
    write_label(avec2014, "215_2", "45")
    write_label(avec2014, "240_1", "5")

    videos = Avec2014(avec2014).raw_videos()

    assert {video.video_id: video.label for video in videos} == {
        "203_1_Freeform": "",
        "215_2_Freeform": "45",
        "215_2_Northwind": "45",
        "230_3_Freeform": "",
        "230_3_Northwind": "",
    }


def test_only_the_tasks_asked_for_are_found(avec2014: Path) -> None:
    write_video(avec2014 / "Training" / "Northwind" / "203_1_Northwind.avi")
    videos = Avec2014(avec2014, tasks=["freeform"]).raw_videos()
    assert ids(videos) == [f"{recording}_Freeform" for recording in RECORDINGS]
    assert refused(Avec2014(avec2014, tasks=["Reading"]).raw_videos).where == "config key data.tasks"


@pytest.mark.parametrize(
    "name", ["train/freeform/203_1.AVI", "x/TRAINING/203_1_Freeform.mkv", "Train/203_1/Freeform/203_1_a.mov"]
)
def test_videos_lie_at_any_depth_below_a_partition_in_any_case(tmp_path: Path, name: str) -> None:
    video = write_video(tmp_path / name)
    (found,) = Avec2014(tmp_path).raw_videos()
    assert (found.video_id, found.path, found.partition) == ("203_1_Freeform", video, "training")


def test_what_is_no_raw_video_of_the_corpus_does_not_matter(avec2014: Path) -> None:
    write_video(avec2014 / "Training" / "Freeform" / ".203_1_Freeform_video.mp4")
    write_video(avec2014 / "Training" / "Freeform" / "203_1_Freeform_video.wav")
    write_video(avec2014 / "Training" / "Freeform" / "introduction.mp4")
    write_video(avec2014 / "previews" / "Freeform" / "203_1.mp4")
    write_frames(avec2014 / "faces" / "test" / "Freeform" / "203_1_Freeform")
    assert len(Avec2014(avec2014).raw_videos()) == 8


def test_videos_under_the_image_root_are_not_searched_for(avec2014: Path, tmp_path: Path) -> None:
    (tmp_path / "RAW").mkdir()
    error = refused(Avec2014(tmp_path / "RAW", image_root=avec2014).raw_videos)
    assert error.where == "config key data.root, the only folder that is searched for raw videos"


def test_a_video_among_images_is_found_whatever_is_listed_first(tmp_path: Path) -> None:
    folder = tmp_path / "Training" / "Freeform" / "203_1"
    for name in ("a.jpg", "z.jpg"):
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(folder / name)
    video = write_video(folder / "203_1_Freeform_video.mp4")
    Image.new("RGB", (2, 2)).save(folder / "b.jpg")
    assert [found.path for found in Avec2014(tmp_path).raw_videos()] == [video]


@pytest.mark.parametrize(
    ("corpus", "home"),
    [(Avec2014, "http://avec2014-db.sspnet.eu/"), (Avec2013, "http://avec2013-db.sspnet.eu/")],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_root_without_videos_is_one_error_that_says_what_to_do(
    tmp_path: Path, corpus: type[Avec2013 | Avec2014], home: str, exists: bool
) -> None:
    root = tmp_path / "RAW"
    if exists:
        root.mkdir()

    error = refused(corpus(str(root)).raw_videos)

    told = str(error)
    assert f"{root}: no video file **/{{Training,Development,Testing}}/" in told
    assert ("(No such file or directory)" in told) != exists
    assert home in error.fix
    assert "synthesize layout=avec2014" in error.fix


def test_a_root_with_frames_only_is_told_to_have_no_raw_videos(tmp_path: Path) -> None:
    frames = write_frames(tmp_path / "Training" / "Freeform" / "203_1_Freeform")
    told = problems(Avec2014(tmp_path).raw_videos)
    assert told[-1] == f"{tmp_path}: has folders of frames, such as {frames}, but no raw videos"


def test_two_files_of_one_video_are_refused_with_both_names(avec2014: Path, avec2013: Path) -> None:
    usual = video_2014(avec2014, "203_1", "Freeform")
    other = write_video(usual.with_suffix(".avi"))
    (told,) = problems(Avec2014(avec2014).raw_videos)
    assert told == f"{other} and {usual}: 2 video files for recording 203_1, Freeform; keep one"

    usual = avec2013 / "Testing" / "Video" / "230_3_cut_combined.mp4"
    other = write_video(avec2013 / "Testing" / "Video" / "Copy of 230_3.mp4")
    (told,) = problems(Avec2013(avec2013).raw_videos)
    assert told == f"{usual} and {other}: 2 video files for recording 230_3, Combined; keep one"


@pytest.mark.parametrize("name", ["203_1_Freeform_video.mp4", "203_1_Northwind.mp4"])
def test_a_recording_in_two_partitions_is_refused(avec2014: Path, name: str) -> None:
    other = write_video(avec2014 / "Testing" / name)
    (told,) = problems(Avec2014(avec2014).raw_videos)
    assert str(other) in told
    assert told.endswith("recording 203_1 is in 2 partitions: training and test")


def test_all_that_is_wrong_with_videos_and_labels_is_one_report(avec2014: Path) -> None:
    write_video(video_2014(avec2014, "215_2", "Freeform").with_suffix(".mov"))
    high = write_label(avec2014, "220_1", "high")
    misplaced = avec2014 / "Training_DepressionLabels" / "230_3_Depression.csv"
    misplaced.parent.mkdir()
    (avec2014 / "DepressionLabels" / misplaced.name).rename(misplaced)
    other = write_label(avec2014, "203_1", "4", "copy/DepressionLabels")

    error = refused(Avec2014(avec2014).raw_videos)

    told = [str(problem) for problem in error.problems]
    assert len(told) == 4
    assert f"{high}: the label file does not hold one integer but 'high'" in told
    assert any(str(other) in line and "different labels of recording 203_1: 3 and 4" in line for line in told)
    assert any("2 video files for recording 215_2, Freeform" in line for line in told)
    assert any(str(misplaced) in line and "230_3 is in 2 partitions" in line for line in told)
    assert "the corpus avec2014 has 4 problems" in error.what
    assert "nothing was preprocessed" in error.fix


def test_a_corpus_of_frames_says_that_it_has_no_raw_videos(tmp_path: Path) -> None:
    error = refused(SyntheticCorpus(tmp_path).raw_videos)
    assert "the corpus synthetic has no raw videos" in error.what
    assert "depression_vr.synthesize layout=avec2014" in error.fix
    assert not [*tmp_path.iterdir()]


# --- a table


def test_a_table_names_its_videos_and_what_is_known_of_them(
    table: Callable[..., CsvTable], tmp_path: Path
) -> None:
    corpus = table(
        "path,label,partition,subject,task,recording,video_id",
        "clinic/a.mp4,many,dev,anna,reading,visit 1,a1",
        "clinic/203_1_Freeform_video.mp4,,,,,,",
        files=("clinic/a.mp4", "clinic/203_1_Freeform_video.mp4"),
    )

    first, second = corpus.raw_videos()

    assert first == RawVideo(
        video_id="a1",
        path=tmp_path / "clinic" / "a.mp4",
        label="many",
        partition="development",
        subject="anna",
        task="reading",
        recording="visit 1",
    )
    assert second.video_id == "clinic/203_1_Freeform_video"
    assert (second.subject, second.task, second.recording) == ("203", "Freeform", "203_1")
    assert (second.label, second.partition) == ("", "")


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("a/x", "a/x.mp4"),
        ("a/x", "a/x.WEBM"),
        ("a\\x", "a/x.avi"),
        ("./a//x.mp4", "a/x.mp4"),
        ("a/x.b", "a/x.b.mov"),
    ],
)
def test_a_path_has_the_suffix_of_its_video_or_none(
    table: Callable[..., CsvTable], tmp_path: Path, given: str, file: str
) -> None:
    write_frames(tmp_path / "a" / "x")
    (video,) = table("path", given, files=(file,)).raw_videos()
    assert video.path == tmp_path / file
    assert video.video_id == file.rpartition(".")[0]


def test_videos_may_lie_under_another_root(table: Callable[..., CsvTable], tmp_path: Path) -> None:
    corpus = table("path", "x", files=("disk/x.mp4",))
    (video,) = CsvTable(corpus.table, image_root=tmp_path / "disk").raw_videos()
    assert (video.video_id, video.path) == ("x", tmp_path / "disk" / "x.mp4")


def test_partitions_by_position_are_known_or_left_open(table: Callable[..., CsvTable]) -> None:
    corpus = table("path,label", "a,1", "b,2", "c,3", files=("a.mp4", "b.mp4", "c.mp4"))
    assert [video.partition for video in corpus.raw_videos()] == ["", "", ""]

    counted = CsvTable(corpus.table, partition_by_position=[1, 0, 2]).raw_videos()
    assert [video.partition for video in counted] == ["training", "test", "test"]

    (told,) = problems(CsvTable(corpus.table, partition_by_position=[1, 1, 2]).raw_videos)
    assert "is for 4 rows, the table has 3" in told


def test_the_release_tables_partitions_go_by_position(table: Callable[..., CsvTable]) -> None:
    names = [f"{number:03d}" for number in range(150)]
    videos = table(
        "path,label", *(f"{name}.mp4,1" for name in names), files=tuple(f"{name}.mp4" for name in names)
    )
    found = [video.partition for video in videos.raw_videos()]
    assert found == ["training"] * 50 + ["development"] * 50 + ["test"] * 50


def test_all_wrong_rows_are_one_report_with_their_lines(
    table: Callable[..., CsvTable], tmp_path: Path
) -> None:
    corpus = table(
        "path,partition,video_id,task",
        "a,holdout,",
        "a.mp4,,",
        "gone.mp4,,",
        "gone,,",
        "../b,,",
        "/elsewhere/b,,",
        ",test,",
        "two,,",
        "folder,,",
        "c,,../up",
        "d,,/up",
        "e,,x//y",
        "f,,x/.hidden",
        "missing,,same",
        "g,,same",
        "h,,same/inner",
        "i,,I",
        "j,,i",
        "k,,,../up",
        "l,,x\\y",
        "m,,,,unquoted",
        files=("two.mp4", "two.avi", "folder/x.mp4", *(f"{name}.mp4" for name in "acdefghijklm")),
    )

    told = problems(corpus.raw_videos)

    def line(*numbers: int) -> str:
        return ", ".join(f"{corpus.table} line {number}" for number in numbers)

    assert sorted(told) == sorted(
        [
            f"{line(2)}: unknown partition 'holdout'; known are training, development, test",
            f"{line(2, 3)}: the video_id 'a' occurs 2 times",
            f"{line(2, 3)}: the path '{tmp_path}/a.mp4' occurs 2 times",
            f"{line(4)}: no video file {tmp_path}/gone.mp4",
            f"{line(5)}: no video file {tmp_path}/gone",
            f"{line(6)}: the path ../b leads out of the image root {tmp_path}",
            f"{line(7)}: the path /elsewhere/b leads out of the image root {tmp_path}",
            f"{line(8)}: the path is missing",
            f"{line(9)}: the path two may mean {tmp_path}/two.mp4 or {tmp_path}/two.avi; name one of them",
            f"{line(10)}: {tmp_path}/folder is a folder, not a video file",
            f"{line(11)}: the video_id '../up' cannot name a folder: it has a '..'",
            f"{line(12)}: the video_id '/up' cannot name a folder: it is an absolute path",
            f"{line(13)}: the video_id 'x//y' cannot name a folder: it has an empty component or a '.'",
            f"{line(14)}: the video_id 'x/.hidden' cannot name a folder: a component begins with a dot, "
            "and hidden folders are left out",
            f"{line(15)}: no video file {tmp_path}/missing",
            f"{line(15, 16)}: the video_id 'same' occurs 2 times",
            f"{line(17, 16)}: the frames of 'same/inner' would lie among those of 'same'",
            f"{line(18, 19)}: the video_ids 'I' and 'i' differ only in upper and lower case, "
            "which many disks do not tell apart",
            f"{line(20)}: the task '../up' cannot name a folder: it has a '..'",
            f"{line(21)}: the video_id 'x\\\\y' cannot name a folder: it has a backslash",
            f"{line(22)}: 5 cells, but the header has 4",
        ]
    )


@pytest.mark.parametrize("header", ["label", "file,label"])
def test_a_table_without_paths_is_refused(table: Callable[..., CsvTable], header: str) -> None:
    error = refused(table(header, "a,3").raw_videos)
    assert "the table lacks the column path" in error.what
    assert "path must be there" in error.fix


def test_an_image_root_that_is_not_there_is_refused(table: Callable[..., CsvTable], tmp_path: Path) -> None:
    corpus = CsvTable(table("path", "a").table, image_root=tmp_path / "gone")
    assert refused(corpus.raw_videos).where == "config key data.image_root"


# --- a file or folder


def test_a_folder_is_searched_to_any_depth(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.b.MP4", "Besuch 1/Jürgen.mov", "z/203_1_Freeform_video.avi"):
        write_video(tmp_path / name)
    for name in ("notes.txt", ".hidden.mp4", ".cache/x.mp4", "still.jpg"):
        write_video(tmp_path / name)

    videos = videos_in(tmp_path)

    assert ids(videos) == ["Besuch 1/Jürgen", "a.b", "b", "z/203_1_Freeform_video"]
    assert videos[0] == RawVideo(
        video_id="Besuch 1/Jürgen",
        path=tmp_path / "Besuch 1" / "Jürgen.mov",
        label="",
        partition="",
        subject="Besuch 1/Jürgen",
        task="",
        recording="Besuch 1/Jürgen",
    )
    assert videos[0].folder == PurePosixPath("Besuch 1/Jürgen")
    assert (videos[3].subject, videos[3].task, videos[3].recording) == ("203", "Freeform", "203_1")
    assert videos[3].folder == PurePosixPath("Freeform/z/203_1_Freeform_video")


@pytest.mark.parametrize(
    ("name", "video_id"), [("x/a.b.mp4", "a.b"), ("x/film.flv", "film"), ("film", "film")]
)
def test_a_file_named_directly_may_have_any_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, video_id: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / name)
    (video,) = videos_in(Path(name))
    assert (video.video_id, video.path) == (video_id, tmp_path / name)


def test_links_are_followed_and_every_folder_is_seen_once(tmp_path: Path) -> None:
    write_video(tmp_path / "disk" / "x" / "a.mp4")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "disk", target_is_directory=True)
    (root / "second").symlink_to(tmp_path / "disk" / "x", target_is_directory=True)
    (tmp_path / "disk" / "back").symlink_to(root, target_is_directory=True)
    assert ids(videos_in(root)) == ["link/x/a"]


def test_an_input_without_a_video_is_refused(tmp_path: Path) -> None:
    error = refused(lambda: videos_in(tmp_path / "gone"))
    assert error.what == f"{tmp_path / 'gone'} cannot be read (No such file or directory)"
    assert error.where == "config key input"

    write_video(tmp_path / "notes.txt")
    assert f"the folder {tmp_path} holds no video at any depth" in refused(lambda: videos_in(tmp_path)).what
    assert "neither a file nor a folder" in refused(lambda: videos_in(Path(os.devnull))).what


def test_all_files_that_cannot_be_told_apart_are_one_report(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.avi", "b.mp4", "B.mov", "c.mp4", "c/d.mp4", " e.mp4"):
        write_video(tmp_path / name)

    told = problems(lambda: videos_in(tmp_path))

    where = str(tmp_path)
    assert told == [
        f"{where}/ e.mp4: the video_id ' e' cannot name a folder: it has white space at an end",
        f"{where}/a.avi, {where}/a.mp4: the video_id 'a' occurs 2 times",
        f"{where}/B.mov, {where}/b.mp4: the video_ids 'B' and 'b' differ only in upper and lower case, "
        "which many disks do not tell apart",
        f"{where}/c/d.mp4, {where}/c.mp4: the frames of 'c/d' would lie among those of 'c'",
    ]


def test_a_name_that_is_not_utf8_is_refused_in_words_that_can_be_printed(tmp_path: Path) -> None:
    try:
        write_video(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    error = refused(lambda: videos_in(tmp_path))
    assert "it is not UTF-8" in str(error).encode().decode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    told = problems(lambda: videos_in(tmp_path))
    closed.chmod(0o755)
    assert told == [f"{closed}: the folder cannot be read (Permission denied)"]


# --- what preprocessing has written is found again


def write_faces(videos: tuple[RawVideo, ...], faces: Path) -> Path:
    """An output of ``python -m depression_vr.preprocess``, with all that lies in it beside the frames."""
    rows = []
    for video in videos:
        folder = write_frames(faces / video.folder)
        for name in ("quality.parquet", "summary.json"):
            (folder / name).write_bytes(b"numbers")
        write_frames(folder / ".partial")
        write_frames(folder.with_name(f".{folder.name}.partial"))
        preview = faces / "report" / "contact_sheets" / f"{video.video_id}.jpg"
        preview.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(preview)
        failed = faces / "failed" / f"{video.folder}.json"
        failed.parent.mkdir(parents=True, exist_ok=True)
        failed.write_text("{}")
        rows.append([str(video.folder), *(getattr(video, column) for column in COLUMNS[1:])])
    (faces / "report" / "index.html").write_text("report")
    with (faces / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return faces


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("make", [Avec2013, Avec2014])
def test_faces_of_avec_are_found_under_the_image_root_and_by_their_manifest(
    request: pytest.FixtureRequest, tmp_path: Path, make: type[Avec2013 | Avec2014], inside: bool
) -> None:
    raw: Path = request.getfixturevalue(make.name)
    videos = make(raw).raw_videos()
    faces = write_faces(videos, (raw if inside else tmp_path) / "FACES")

    by_tree = make(raw, image_root=faces).manifest()
    by_table = CsvTable(faces / "manifest.csv").manifest()

    assert by_tree.table["path"].tolist() == [str(faces / video.folder) for video in videos]
    assert by_tree.table["video_id"].tolist() == ids(videos)
    assert [len(folder) for folder in by_tree.folders] == [2] * len(videos)
    assert by_table.table.equals(by_tree.table)
    assert make(raw).raw_videos() == videos


def test_faces_of_other_videos_are_found_by_their_manifest(
    table: Callable[..., CsvTable], tmp_path: Path
) -> None:
    names = ("a.b", "Besuch 1/Jürgen", "x.mp4.old")
    corpus: Corpus = table(
        "path,label,partition,task,video_id",
        f"{names[0]},3,training,free talk,",
        f"{names[1]},4,dev,,",
        f'{names[2]},5,test,"eins, zwei",v.mp4',
        files=tuple(f"{name}.mp4" for name in names),
    )
    videos = corpus.raw_videos()
    faces = write_faces(videos, tmp_path / "FACES")

    found = CsvTable(faces / "manifest.csv").manifest().table

    assert found["path"].tolist() == [
        str(faces / "training" / "free talk" / "a.b"),
        str(faces / "development" / "Besuch 1" / "Jürgen"),
        str(faces / "test" / "eins, zwei" / "v.mp4"),
    ]
    for column in ("video_id", "partition", "subject", "task", "recording"):
        assert found[column].tolist() == [getattr(video, column) for video in videos]
    assert found["label"].tolist() == [3.0, 4.0, 5.0]
