"""OpenFace's CSV files: which rows are taken, and how a bad file is told."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from depression_vr.faces.tracking.openface_files import (
    LandmarkFileError,
    OpenFaceRow,
    landmark_file,
    landmark_rows,
)

POINTS = range(68)
NAMES = [
    "frame",
    "face_id",
    "timestamp",
    "confidence",
    "success",
    *(f"eye_lmk_{axis}_{point}" for axis in "xy" for point in range(56)),
    # the three-dimensional ones come first here, so that taking them by mistake shows
    *(f"{axis}_{point}" for axis in "XYZxy" for point in POINTS),
]


def row(frame: object, face: int = 0, **fields: object) -> list[str]:
    values: dict[str, object] = dict.fromkeys(NAMES, -1.0)
    values |= {"frame": frame, "face_id": face, "timestamp": (float(str(frame)) - 1) / 30}
    values |= {"confidence": 0.98, "success": 1}
    values |= {f"x_{point}": 100.5 + float(str(frame)) + point for point in POINTS}
    values |= {f"y_{point}": 200.25 + face + 2 * point for point in POINTS}
    return [str(value) for value in (values | fields).values()]


def write(path: Path, rows: Sequence[Sequence[str]], names: Sequence[str] = NAMES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(", ".join(fields) for fields in [names, *rows]) + "\n")
    return path


def read(path: Path, min_confidence: float = 0.7) -> list[OpenFaceRow]:
    return list(landmark_rows(path, min_confidence))


def reason(path: Path) -> str:
    with pytest.raises(LandmarkFileError) as caught:
        read(path)
    return str(caught.value)


def test_a_row_is_the_two_dimensional_face_of_its_frame(tmp_path: Path) -> None:
    first, second = read(write(tmp_path / "a.csv", [row(1), row(31)]))
    assert (second.frame, second.face, second.time, second.confidence) == (31, 0, 1.0, 0.98)
    np.testing.assert_array_equal(
        first.landmarks, [(101.5 + point, 200.25 + 2 * point) for point in POINTS], strict=True
    )


def test_rows_without_a_tracked_face_are_left_out(tmp_path: Path) -> None:
    rows = [
        row(1),
        row(2, success=0),
        row(3, confidence=0.69),
        row(4, x_40="nan"),
        row(5, y_67="-nan(ind)"),
        row(6, confidence="nan"),
        row(7, confidence=0.7),
        row(8, x_0="inf"),
    ]
    path = write(tmp_path / "a.csv", rows)
    assert [taken.frame for taken in read(path)] == [1, 7]
    assert [taken.frame for taken in read(path, min_confidence=0.5)] == [1, 3, 7]


def test_several_faces_of_a_frame_are_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(1), row(1, face=3), row(2, face=3)])
    assert [(taken.frame, taken.face) for taken in read(path)] == [(1, 0), (1, 3), (2, 3)]


def test_a_file_without_numbers_of_faces_has_face_zero(tmp_path: Path) -> None:
    without = [name for name in NAMES if name != "face_id"]
    fields = row(1)
    del fields[NAMES.index("face_id")]
    assert read(write(tmp_path / "a.csv", [fields], without))[0].face == 0


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(1), ["broken"]])
    rows = landmark_rows(path, 0.7)
    assert next(rows).frame == 1
    with pytest.raises(LandmarkFileError):
        next(rows)


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        (row(1)[:-1], f"{len(NAMES) - 1} columns instead of {len(NAMES)}"),
        (row(3, x_5="abc"), "'abc'"),
        (row(2.5), "2.5 is not a whole number"),
        (row(0), "frame 0, but OpenFace counts from 1"),
        (row(1, success=0), "frame 1 comes after 2"),
    ],
)
def test_a_broken_row_is_told_with_file_and_line(tmp_path: Path, second: list[str], complaint: str) -> None:
    path = write(tmp_path / "a.csv", [row(2), second])
    assert reason(path).startswith(f"{path}, line 3: ")
    assert complaint in reason(path)


def test_another_csv_file_is_refused_by_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [["1", "2"]], ["frame", "X_0"])
    assert "lacks the columns timestamp, confidence, success, x_0 and 135 more" in reason(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00frame\n"])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert str(path) in reason(path)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    assert reason(tmp_path / "a.csv") == f"{tmp_path / 'a.csv'} cannot be read: No such file or directory"


def test_the_file_is_found_by_the_name_of_the_video(tmp_path: Path) -> None:
    expected = write(tmp_path / "Training" / "203_1 [cut].csv", [])
    write(tmp_path / "Training" / "203_1 c.csv", [])
    assert landmark_file(tmp_path, Path("/videos/203_1 [cut].mp4"), "203_1_Northwind") == expected


def test_a_file_named_by_the_id_goes_before(tmp_path: Path) -> None:
    expected = write(tmp_path / "Freeform" / "203_1.csv", [])
    write(tmp_path / "Northwind" / "203_1.csv", [])
    assert landmark_file(tmp_path, Path("/videos/203_1.mp4"), "Freeform/203_1") == expected


def test_two_files_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    for task in ("Freeform", "Northwind"):
        write(tmp_path / task / "203_1.csv", [])
    with pytest.raises(LandmarkFileError) as caught:
        landmark_file(tmp_path, Path("203_1.mp4"), "a/203_1")
    assert "2 files 203_1.csv: Freeform/203_1.csv, Northwind/203_1.csv" in str(caught.value)


def test_a_missing_file_is_told_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(LandmarkFileError) as caught:
        landmark_file(tmp_path, Path("203_1.mp4"), "Freeform/203_1")
    assert str(caught.value) == f"{tmp_path} has no Freeform/203_1.csv or **/203_1.csv"
