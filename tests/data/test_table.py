"""A user's own CSV: what its columns mean, and what is refused with its line."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from depression_vr.data.table import CsvTable
from depression_vr.errors import UserError

WriteTable = Callable[..., Path]


def write_frames(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2)).save(folder / "frame_000001.jpg")
    return folder


@pytest.fixture
def write_table(tmp_path: Path) -> WriteTable:
    """Writes ``labels.csv`` and, below ``frames`` beside it, the folders asked for."""

    def write(*lines: str, folders: Sequence[str] = (), ending: str = "\n") -> Path:
        for folder in folders:
            write_frames(tmp_path / folder)
        table = tmp_path / "labels.csv"
        table.write_bytes((ending.join(lines) + ending).encode())
        return table

    return write


def refused(corpus: CsvTable) -> UserError:
    with pytest.raises(UserError) as raised:
        corpus.manifest()
    return raised.value


def problems(corpus: CsvTable) -> list[str]:
    return [str(problem) for problem in refused(corpus).problems]


# --- what the columns mean


def test_all_columns_are_taken_as_they_are(write_table: WriteTable, tmp_path: Path) -> None:
    table = write_table(
        "video_id,recording,task,subject,partition,label,path,remark",
        "v1,r1,interview,s1,training,7,x,good light",
        "v2,r1,reading,s1,training,7,y,",
        "v3,r2,interview,s2,test,21.5,z,",
        folders=("x", "y", "z"),
    )

    manifest = CsvTable(table, maximum=27).manifest()

    assert manifest.corpus == "csv"
    assert manifest.maximum == 27
    assert manifest.table.to_dict("list") == {
        "video_id": ["v1", "v2", "v3"],
        "path": [str(tmp_path / name) for name in "xyz"],
        "label": [7.0, 7.0, 21.5],
        "partition": ["training", "training", "test"],
        "subject": ["s1", "s1", "s2"],
        "task": ["interview", "reading", "interview"],
        "recording": ["r1", "r1", "r2"],
    }


def test_without_further_columns_every_video_is_its_own_recording_and_subject(
    write_table: WriteTable,
) -> None:
    table = write_table("path,label", "clinic/p1.mp4,3", "clinic/p2,4", folders=("clinic/p1", "clinic/p2"))

    rows = CsvTable(table, partition_by_position=[1, 0, 1]).manifest().table

    for column in ("video_id", "recording", "subject"):
        assert rows[column].tolist() == ["clinic/p1", "clinic/p2"]
    assert rows["task"].tolist() == ["", ""]
    assert rows["partition"].tolist() == ["training", "test"]


def test_names_like_avecs_tell_recording_subject_and_task(write_table: WriteTable) -> None:
    names = ("training/Freeform/203_1_Freeform_video", "training/northwind/203_1", "test/2023_05_12_visit")
    table = write_table("path,label", *(f"{name},5" for name in names), folders=names)

    rows = CsvTable(table, partition_by_position=(2, 0, 1)).manifest().table

    assert rows["recording"].tolist() == ["203_1", "203_1", "test/2023_05_12_visit"]
    assert rows["subject"].tolist() == ["203", "203", "test/2023_05_12_visit"]
    assert rows["task"].tolist() == ["Freeform", "Northwind", ""]


def test_a_subject_of_avec_in_two_partitions_is_warned_of(write_table: WriteTable) -> None:
    table = write_table(
        "path,label", "203_1_Freeform,5", "203_2_Freeform,6", folders=("203_1_Freeform", "203_2_Freeform")
    )
    manifest = CsvTable(table, partition_by_position=(1, 0, 1)).manifest()
    assert [str(warning) for warning in manifest.warnings] == [
        "subject 203: is in the partitions training and test"
    ]


def test_empty_cells_are_filled_as_missing_columns_are(write_table: WriteTable) -> None:
    table = write_table(
        "path,label,partition,subject,task,recording,video_id",
        "203_1_Freeform,5,test,,,,",
        folders=("203_1_Freeform",),
    )
    row = CsvTable(table).manifest().table.iloc[0]
    assert (row["video_id"], row["subject"], row["task"], row["recording"]) == (
        "203_1_Freeform",
        "203",
        "Freeform",
        "203_1",
    )


@pytest.mark.parametrize(
    ("written", "partition"),
    [
        ("train", "training"),
        ("Training", "training"),
        ("dev", "development"),
        ("DEVEL", "development"),
        ("Development", "development"),
        ("val", "development"),
        ("validation", "development"),
        ("test", "test"),
        (" Testing ", "test"),
    ],
)
def test_partitions_have_their_usual_names(write_table: WriteTable, written: str, partition: str) -> None:
    table = write_table("path,label,partition", f"a,3,{written}", folders=("a",))
    assert CsvTable(table).manifest().table["partition"].tolist() == [partition]


@pytest.mark.parametrize("rows", [300, 150])
def test_the_sta_drn_releases_table_works_as_it_is(write_table: WriteTable, rows: int) -> None:
    names = [f"Freeform/v{number}_Freeform_video" for number in range(rows)]
    table = write_table(
        "path,label",
        *(f"{name}.mp4,{number % 46}" for number, name in enumerate(names)),
        folders=[f"{name}_aligned" for name in names],
    )

    manifest = CsvTable(table).manifest()

    third = rows // 3
    assert manifest.rows("training").tolist() == list(range(third))
    assert manifest.rows("development").tolist() == list(range(third, 2 * third))
    assert manifest.rows("test").tolist() == list(range(2 * third, rows))
    assert manifest.table["video_id"].tolist() == names


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        *product(("a/x", "a/x.mp4", "a\\x.mp4", "./a//x", "a/b/../x.MP4"), ("a/x", "a/x_aligned")),
        ("a/x.mp4", "a/x.mp4"),
        ("a/x.mp4", "a/x.mp4_aligned"),
    ],
)
def test_frames_lie_in_the_folder_of_that_name_with_or_without_mp4_and_aligned(
    write_table: WriteTable, tmp_path: Path, given: str, folder: str
) -> None:
    table = write_table("path,label,partition", f"{given},3,test", folders=(folder,))
    rows = CsvTable(table).manifest().table
    assert rows["path"].tolist() == [str(tmp_path / folder)]
    assert rows["video_id"].tolist() == ["a/x"]


def test_a_folder_of_the_very_name_comes_before_the_aligned_one(
    write_table: WriteTable, tmp_path: Path
) -> None:
    table = write_table("path,label,partition", "x,3,test", folders=("x", "x_aligned"))
    assert CsvTable(table).manifest().table["path"].tolist() == [str(tmp_path / "x")]


def test_frames_may_lie_under_another_root(write_table: WriteTable, tmp_path: Path) -> None:
    inside = write_frames(tmp_path / "disk" / "b")
    table = write_table("path,label,partition", "a,3,test", f"{inside},4,test", folders=("disk/a",))
    rows = CsvTable(table, image_root=tmp_path / "disk").manifest().table
    assert rows["path"].tolist() == [str(tmp_path / "disk" / "a"), str(inside)]
    assert rows["video_id"].tolist() == ["a", "b"]


def test_a_symbolic_link_below_the_root_may_lead_to_another_disk(
    write_table: WriteTable, tmp_path: Path
) -> None:
    write_frames(tmp_path / "disk" / "a")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "disk", target_is_directory=True)
    table = write_table("path,label,partition", "linked/a,3,test")
    assert len(CsvTable(table, image_root=tmp_path / "root").manifest().table) == 1


def test_spreadsheets_leave_marks_that_do_not_matter(write_table: WriteTable) -> None:
    table = write_table(
        "\ufeffPath, Label ,partition,",
        '"a", 3 ,test,',
        "",
        ",,,",
        "b,4,test,",
        folders=("a", "b"),
        ending="\r\n",
    )
    assert CsvTable(table).manifest().table["label"].tolist() == [3.0, 4.0]


def test_the_fingerprint_is_of_the_content_not_of_the_place(write_table: WriteTable, tmp_path: Path) -> None:
    table = write_table("path,label,partition", "a,3,test", "b,4,test", folders=("old/a", "old/b"))
    before = CsvTable(table, tmp_path / "old").manifest().fingerprint
    (tmp_path / "old").rename(tmp_path / "new")
    assert CsvTable(table, tmp_path / "new").manifest().fingerprint == before

    frame = tmp_path / "new" / "a" / "frame_000001.jpg"
    renamed = frame.rename(frame.with_name("frame_000002.jpg"))
    assert CsvTable(table, tmp_path / "new").manifest().fingerprint != before

    renamed.rename(frame)
    changed = write_table("path,label,partition", "a,3,test", "b,5,test")
    assert CsvTable(changed, tmp_path / "new").manifest().fingerprint != before


# --- what is refused


def test_all_problems_are_in_one_report_with_their_lines(write_table: WriteTable, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    table = write_table(
        "path,label,partition,remark",
        'a,high,test,"two',
        'lines"',
        "",
        "b,64,test",
        "c,,test",
        "d,3,holdout",
        "e,3,",
        "gone.mp4,3,test",
        "empty,3,test",
        ",3,test",
        "../f,3,test",
        "/elsewhere/f,3,test",
        "a.mp4,3,test",
        "x,3,test,,,unquoted",
        folders=("a", "b", "c", "d", "e", "x"),
    )

    told = problems(CsvTable(table))

    root = tmp_path
    assert sorted(told) == sorted(
        [
            f"{table} line 2: the label 'high' is not a number",
            f"{table} line 5: the label 64 is outside 0..63",
            f"{table} line 6: the label is missing",
            f"{table} line 7: unknown partition 'holdout'; known are training, development, test",
            f"{table} line 8: the partition is missing; known are training, development, test",
            f"{table} line 9: no folder of frames {root}/gone.mp4 or {root}/gone or {root}/gone_aligned "
            f"or {root}/gone.mp4_aligned",
            f"{table} line 10: the frames folder {root}/empty holds no .jpg, .jpeg, .png, .bmp file "
            "and no frames.zip",
            f"{table} line 11: the path is missing",
            f"{table} line 12: the path ../f leads out of the image root {root}",
            f"{table} line 13: the path /elsewhere/f leads out of the image root {root}",
            f"{table} line 2, {table} line 14: the video_id 'a' occurs 2 times",
            f"{table} line 2, {table} line 14: the path '{root}/a' occurs 2 times",
            f"{table} line 15: 6 cells, but the header has 4",
        ]
    )


@pytest.mark.parametrize(
    ("maximum", "label", "fits"), [(24, "24", True), (24, "25", False), (27, "27", True)]
)
def test_the_scale_has_its_own_maximum(write_table: WriteTable, maximum: int, label: str, fits: bool) -> None:
    corpus = CsvTable(write_table("path,label,partition", f"a,{label},test", folders=("a",)), maximum=maximum)
    if fits:
        assert corpus.manifest().maximum == maximum
    else:
        assert "is outside 0..24" in problems(corpus)[0]


def test_two_folders_that_a_path_may_mean_are_refused(write_table: WriteTable, tmp_path: Path) -> None:
    table = write_table("path,label,partition", "x.mp4,3,test", folders=("x", "x_aligned"))
    (told,) = problems(CsvTable(table))
    assert f"the path x.mp4 may mean {tmp_path}/x or {tmp_path}/x_aligned" in told


@pytest.mark.parametrize("given", ["x", "x.mp4"])
def test_a_video_file_is_no_folder_of_frames(write_table: WriteTable, tmp_path: Path, given: str) -> None:
    (tmp_path / "x.mp4").write_bytes(b"video")
    table = write_table("path,label,partition", f"{given},3,test")
    (told,) = problems(CsvTable(table))
    assert told == (
        f"{table} line 2: {tmp_path}/x.mp4 is a video; extract its frames with `python -m "
        f"depression_vr.preprocess data=csv data.table={table} out=FACES` "
        "and train with data.table=FACES/manifest.csv alone"
    )


def test_the_command_that_extracts_frames_has_all_that_the_table_needs(
    write_table: WriteTable, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "x.mp4").write_bytes(b"video")
    table = write_table("path,label", "x,3")
    (told,) = problems(CsvTable(table, tmp_path / "disk", partition_by_position=[0, 0, 1]))
    assert f"data.image_root={tmp_path / 'disk'} 'data.partition_by_position=[0,0,1]' out=FACES`" in told


def test_tables_of_unknown_length_need_their_partitions_told(write_table: WriteTable) -> None:
    table = write_table("path,label", "a,3", "b,4", "c,5", folders=("a", "b", "c"))
    (told,) = problems(CsvTable(table))
    assert "3 rows without a column partition" in told
    assert "data.partition_by_position=[TRAINING,DEVELOPMENT,TEST]" in told


def test_counts_that_do_not_fit_the_table_are_refused(write_table: WriteTable) -> None:
    table = write_table("path,label", "a,3", "b,high", "c,5", folders=("a", "b", "c"))
    told = problems(CsvTable(table, partition_by_position=[1, 1, 2]))
    assert "data.partition_by_position" in told[0]
    assert told[1:] == [f"{table} line 3: the label 'high' is not a number"]


def test_a_column_of_partitions_and_counts_contradict_each_other(write_table: WriteTable) -> None:
    table = write_table("path,label,partition", "a,3,test", folders=("a",))
    (told,) = problems(CsvTable(table, partition_by_position=[0, 0, 1]))
    assert told.startswith("config key data.partition_by_position: ")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the table is empty"),
        (b"\n\n", "the table is empty"),
        (b"path,label\n", "the table has a header but no rows"),
        (b"path,score\na,3\n", "the table lacks the column label"),
        (b"a,3\nb,4\n", "the table lacks the column path, label"),
        (b"path;label\na;3\n", "its header is 'path;label'"),
        (b"path,label,Label\na,3,4\n", "has the column label twice"),
        (b"path,label\nM\xfcller,3\n", "the table is not UTF-8 text"),
        ("path,label\na,3\n".encode("utf-16"), "the table is not UTF-8 text"),
        (b'path,label\n"a,3\nb,4\n', "the table is not a CSV file"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_with_its_name(
    tmp_path: Path, content: bytes, what: str
) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes(content)
    error = refused(CsvTable(table))
    assert what in error.what
    assert str(table) in error.where


def test_a_table_that_is_not_there_or_is_a_folder_is_refused_with_its_name(tmp_path: Path) -> None:
    for table in (tmp_path / "gone.csv", tmp_path):
        error = refused(CsvTable(table))
        assert error.where == str(table)
        assert "data.table" in error.fix


def test_an_image_root_that_is_not_there_is_one_error(write_table: WriteTable, tmp_path: Path) -> None:
    table = write_table("path,label,partition", "a,3,test", "b,3,test")
    error = refused(CsvTable(table, image_root=tmp_path / "gone"))
    assert error.where == "config key data.image_root"
    assert str(tmp_path / "gone") in error.what


def test_names_that_only_look_like_avecs_are_left_alone(tmp_path: Path) -> None:
    for name in ("2023_1_anna", "2023_1_berta"):
        (tmp_path / "visit" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "visit" / name / "1.jpg")
    table = tmp_path / "videos.csv"
    table.write_text("path,label,partition\nvisit/2023_1_anna,3,test\nvisit/2023_1_berta,9,test\n")
    videos = CsvTable(table).manifest().table
    assert videos["recording"].tolist() == ["visit/2023_1_anna", "visit/2023_1_berta"]
    assert videos["subject"].nunique() == 2


# --- what is suspicious


def test_a_column_that_is_misspelt_and_videos_without_a_subject_are_warned_of(
    write_table: WriteTable, tmp_path: Path
) -> None:
    header = "path,label,partition,subjectid,age,frame_rate"
    table = write_table(header, "x,7,training,s1,30,25", "y,8,test,s1,30,25", folders=("x", "y"))

    column, subjects = CsvTable(table).manifest().warnings

    assert column.where == f"{table} line 1"
    assert column.what == "the column subjectid is not read; did you mean subject?"
    assert subjects.what.startswith("2 of 2 videos name no subject")


def test_names_like_avecs_say_who_is_in_a_video(write_table: WriteTable) -> None:
    table = write_table(
        "path,label,partition",
        "203_1_Freeform,7,training",
        "204_1_Freeform,8,test",
        folders=("203_1_Freeform", "204_1_Freeform"),
    )
    assert CsvTable(table).manifest().warnings == ()
