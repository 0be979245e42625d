"""The one table: what is refused, what is warned of, and what its fingerprint is made of."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from depression_vr.data.manifest import Manifest, build_manifest
from depression_vr.errors import Problem, UserError


def write_frames(folder: Path, count: int = 2) -> Path:
    folder.mkdir(parents=True)
    for frame in range(1, count + 1):
        Image.new("RGB", (4, 4), (frame, 0, 0)).save(folder / f"frame_{frame:06d}.jpg")
    return folder


def video(root: Path, name: str, /, **changed: object) -> dict[str, object]:
    return {
        "video_id": name,
        "path": str(root / name),
        "label": 12,
        "partition": "training",
        "subject": name,
        "task": "",
        "recording": name,
        "source": f"source of {name}",
        **changed,
    }


def manifest(*videos: dict[str, object], found: tuple[Problem, ...] = ()) -> Manifest:
    return build_manifest("corpus", pd.DataFrame(videos), found=found)


def problems(*videos: dict[str, object], found: tuple[Problem, ...] = ()) -> list[str]:
    with pytest.raises(UserError) as raised:
        manifest(*videos, found=found)
    return [str(problem) for problem in raised.value.problems]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        write_frames(tmp_path / name)
    return tmp_path


def test_valid_rows_become_a_table_with_their_frames(root: Path) -> None:
    built = manifest(video(root, "a", label="7"), video(root, "b", partition="test"))

    assert built.table["label"].tolist() == [7.0, 12.0]
    assert built.rows("test").tolist() == [1]
    assert [len(folder) for folder in built.folders] == [2, 2]
    assert built.folders[0].frame_path(1) == root / "a" / "frame_000002.jpg"
    assert built.warnings == ()


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("", "the label is missing"),
        (None, "the label is missing"),
        (float("nan"), "the label is missing"),
        ("high", "the label 'high' is not a number"),
        ("inf", "the label 'inf' is not a number"),
        ("12,5", "the label '12,5' is not a number"),
        (-1, "the label -1 is outside 0..63"),
        ("63.5", "the label 63.5 is outside 0..63"),
    ],
)
def test_a_wrong_label_is_refused_with_its_source(root: Path, label: object, told: str) -> None:
    assert problems(video(root, "a", label=label)) == [f"source of a: {told}"]


@pytest.mark.parametrize("label", [0, 63, "21.5"])
def test_the_ends_of_the_scale_and_fractions_are_labels(root: Path, label: object) -> None:
    assert manifest(video(root, "a", label=label)).table["label"].item() == float(label)  # type: ignore[arg-type]


def test_every_problem_is_in_one_report_those_found_before_first(root: Path) -> None:
    (root / "empty").mkdir()

    told = problems(
        video(root, "a", label="x"),
        video(root, "b", partition="holdout"),
        video(root, "c", partition=""),
        video(root, "empty"),
        video(root, "gone"),
        found=(Problem("somewhere", "something"),),
    )

    assert told[0] == "somewhere: something"
    assert told[1] == "source of a: the label 'x' is not a number"
    assert told[2].startswith("source of b: unknown partition 'holdout'")
    assert told[3].startswith("source of c: the partition is missing")
    assert told[4].startswith(f"source of empty: the frames folder {root / 'empty'} holds no .jpg")
    assert told[5] == f"source of gone: the frames folder {root / 'gone'} does not exist"
    assert len(told) == 6


def test_a_path_or_partition_that_was_reported_before_is_not_reported_again(root: Path) -> None:
    told = problems(
        video(root, "a", path=None),
        video(root, "b", path=None, partition=None),
        video(root, "c", partition=None),
        found=(Problem("table", "no path"),),
    )
    assert told == ["table: no path"]


def test_two_videos_of_one_name_or_one_folder_are_refused(root: Path) -> None:
    assert problems(video(root, "a"), video(root, "b", video_id="a")) == [
        "source of a, source of b: the video_id 'a' occurs 2 times"
    ]
    assert problems(video(root, "a"), video(root, "b", path=str(root / "a"))) == [
        f"source of a, source of b: the path {str(root / 'a')!r} occurs 2 times"
    ]


def test_videos_of_one_recording_share_label_and_partition(root: Path) -> None:
    told = problems(
        video(root, "a", recording="r", label=3),
        video(root, "b", recording="r", label=5, partition="test"),
    )
    assert told == [
        "source of a, source of b: the videos of recording r differ in their label: 3 and 5",
        "source of a, source of b: the videos of recording r differ in their partition: training and test",
    ]


def test_recordings_that_are_numbers_share_label_and_partition_too(root: Path) -> None:
    videos = [video(root, name, recording=203, label=label) for name, label in (("a", 3), ("b", 5))]
    assert problems(*videos) == [
        "source of a, source of b: the videos of recording 203 differ in their label: 3 and 5"
    ]


def test_recordings_are_told_in_the_order_of_their_first_videos(root: Path) -> None:
    told = problems(
        video(root, "a", recording="second", label=3),
        video(root, "b", recording="first", partition="test"),
        video(root, "c", recording="first", partition="test", label=13),
        video(root, "d", recording="alone", label=13),
        video(root, "e", recording="second", label=2.5),
        found=(),
    )
    assert [line for line in told if "differ" in line] == [
        "source of a, source of e: the videos of recording second differ in their label: 3 and 2.5",
        "source of b, source of c: the videos of recording first differ in their label: 12 and 13",
    ]


def test_many_folders_come_in_the_order_of_their_rows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("depression_vr.data.manifest._LISTED_AT_ONCE", 2)
    built = manifest(*(video(root, name) for name in "cab"))
    assert [folder.path.name for folder in built.folders] == ["c", "a", "b"]


def test_a_subject_in_two_partitions_is_a_warning(root: Path) -> None:
    built = manifest(
        video(root, "a", subject="203"),
        video(root, "b", subject="203", partition="test"),
        video(root, "c", subject="204"),
    )
    assert [str(warning) for warning in built.warnings] == [
        "subject 203: is in the partitions training and test"
    ]


def test_a_corpus_without_videos_is_refused() -> None:
    rows = pd.DataFrame(columns=list(video(Path(), "a")))
    with pytest.raises(UserError, match="no videos"):
        build_manifest("corpus", rows)


def test_hidden_files_and_files_that_are_no_images_are_no_frames(root: Path) -> None:
    (root / "a" / "._frame_000001.jpg").write_bytes(b"")
    (root / "a" / "quality.csv").write_text("frame\n")
    Image.new("RGB", (4, 4)).save(root / "a" / "FRAME_000003.PNG")

    names = manifest(video(root, "a")).folders[0].names

    assert names.tolist() == [b"FRAME_000003.PNG", b"frame_000001.jpg", b"frame_000002.jpg"]


def test_the_fingerprint_knows_labels_and_frame_names_but_not_the_place(root: Path, tmp_path: Path) -> None:
    before = manifest(video(root, "a"), video(root, "b")).fingerprint
    moved = tmp_path / "elsewhere"
    shutil.copytree(root / "a", moved / "a")
    shutil.copytree(root / "b", moved / "b")

    assert manifest(video(moved, "a"), video(moved, "b")).fingerprint == before
    assert manifest(video(moved, "a", label=13), video(moved, "b")).fingerprint != before
    (moved / "a" / "frame_000002.jpg").rename(moved / "a" / "frame_000009.jpg")
    assert manifest(video(moved, "a"), video(moved, "b")).fingerprint != before


def test_the_rows_of_a_partition_are_positions_in_the_table(root: Path) -> None:
    built = manifest(video(root, "a"), video(root, "b", partition="test"), video(root, "c"))
    assert np.array_equal(built.rows("training"), [0, 2])
    assert built.rows("development").size == 0
