"""Roles of videos under each protocol: who is trained on, selected on and tested, and never two of these."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from depression_vr.data.leakage import overlap_warning, subject_overlap
from depression_vr.data.manifest import Manifest, build_manifest
from depression_vr.data.protocol import Split
from depression_vr.errors import UserError

Videos = Sequence[tuple[str, str, str, str]]
"""Of each video: its name, subject, recording and partition."""

TASKS = ("Freeform", "Northwind")


def corpus(root: Path, videos: Videos) -> Manifest:
    rows = []
    for name, subject, recording, partition in videos:
        folder = root / name
        folder.mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(folder / "frame_000001.jpg")
        rows.append(
            {
                "video_id": name,
                "path": str(folder),
                "label": 12,
                "partition": partition,
                "subject": subject,
                "task": "",
                "recording": recording,
                "source": f"source of {name}",
            }
        )
    return build_manifest("corpus", pd.DataFrame(rows))


def avec_like(subjects: int = 23, tasks: Sequence[str] = TASKS) -> Videos:
    """Subjects of one to three recordings of the same tasks, all over the partitions."""
    partitions = ("training", "development", "test")
    return [
        (
            f"{subject}_{session}_{task}",
            str(subject),
            f"{subject}_{session}",
            partitions[(subject + session) % 3],
        )
        for subject in range(203, 203 + subjects)
        for session in range(1, 2 + subject % 3)
        for task in tasks
    ]


def alone(names: str, partition: str = "training") -> Videos:
    """One video of one recording per subject."""
    return [(f"video_{name}", name, name, partition) for name in names]


def kfold(manifest: Manifest, folds: int = 5) -> list[Manifest]:
    return [Split("subject_disjoint_kfold", folds, fold).applied(manifest) for fold in range(folds)]


def roles(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.table["video_id"], manifest.table["partition"], strict=True))


def refusal(**settings: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        Split(**settings)
    return caught.value


def test_dev_selected_takes_the_partitions_as_they_are(tmp_path: Path) -> None:
    manifest = corpus(tmp_path, avec_like())
    assert Split().applied(manifest) is manifest
    assert Split().selects


def test_train_dev_merged_trains_on_both_and_tests_on_the_same_videos(tmp_path: Path) -> None:
    manifest = corpus(tmp_path, avec_like())
    split = Split("train_dev_merged")
    merged = split.applied(manifest)

    assert not split.selects
    assert merged.rows("development").size == 0
    assert merged.rows("test").tolist() == manifest.rows("test").tolist()
    both = [*manifest.rows("training"), *manifest.rows("development")]
    assert merged.rows("training").tolist() == sorted(both)
    assert merged.fingerprint != manifest.fingerprint
    assert manifest.rows("development").size > 0


@pytest.mark.parametrize("folds", [3, 5, 23])
def test_every_video_is_tested_once_and_selected_on_once(tmp_path: Path, folds: int) -> None:
    manifest = corpus(tmp_path, avec_like())
    of_folds = [roles(fold) for fold in kfold(manifest, folds)]
    for video in manifest.table["video_id"]:
        given = [fold[video] for fold in of_folds]
        assert given.count("test") == given.count("development") == 1
        assert (given.index("test") - 1) % folds == given.index("development")
        assert given.count("training") == folds - 2


def test_no_subject_and_no_recording_has_two_roles_in_a_fold(tmp_path: Path) -> None:
    manifest = corpus(tmp_path, avec_like())
    for fold in kfold(manifest):
        assert fold.table.groupby("subject")["partition"].nunique().max() == 1
        assert fold.table.groupby("recording")["partition"].nunique().max() == 1
        assert fold.warnings == ()
        assert set(subject_overlap(fold).values()) == {0}
        assert overlap_warning(fold) is None


def test_only_the_roles_differ_from_the_corpus(tmp_path: Path) -> None:
    manifest = corpus(tmp_path, avec_like())
    for fold in kfold(manifest):
        pd.testing.assert_frame_equal(
            fold.table.drop(columns="partition"), manifest.table.drop(columns="partition")
        )
        assert fold.folders == manifest.folders


def test_folds_are_about_equally_large(tmp_path: Path) -> None:
    manifest = corpus(tmp_path, avec_like(subjects=23))
    tested = [fold.table.loc[fold.rows("test"), "subject"].nunique() for fold in kfold(manifest)]
    assert sorted(tested) == [4, 4, 5, 5, 5]


def test_folds_are_mixed_and_not_the_order_of_subjects(tmp_path: Path) -> None:
    first = kfold(corpus(tmp_path, avec_like()))[0]
    tested = sorted(first.table.loc[first.rows("test"), "subject"].unique())
    everyone = sorted(first.table["subject"].unique())
    start = everyone.index(tested[0])
    assert tested != everyone[start : start + len(tested)]


def test_a_subject_is_in_the_same_fold_whatever_the_tasks_the_order_and_the_partitions(
    tmp_path: Path,
) -> None:
    whole = corpus(tmp_path / "whole", avec_like())
    one_task = corpus(tmp_path / "one", [video for video in avec_like() if video[0].endswith(TASKS[0])])
    reverse = corpus(
        tmp_path / "reverse", [(*video[:3], "training") for video in reversed(list(avec_like()))]
    )
    for of_whole, of_one_task, of_reverse in zip(kfold(whole), kfold(one_task), kfold(reverse), strict=True):
        assert roles(of_one_task).items() <= roles(of_whole).items()
        assert roles(of_reverse) == roles(of_whole)


def test_folds_stay_the_same_from_release_to_release(tmp_path: Path) -> None:
    folds = kfold(corpus(tmp_path, alone("abcdefg")), 3)
    assert ["".join(sorted(fold.table.loc[fold.rows("test"), "subject"])) for fold in folds] == [
        "bdg",
        "ef",
        "ac",
    ]


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"fold": 0}, "data.fold"),
        ({"protocol": "train_dev_merged", "fold": 1}, "data.fold"),
        ({"protocol": "subject_disjoint_kfold"}, "data.fold"),
        ({"protocol": "subject_disjoint_kfold", "fold": 5}, "data.fold"),
        ({"protocol": "subject_disjoint_kfold", "fold": -1}, "data.fold"),
        ({"protocol": "subject_disjoint_kfold", "folds": 2, "fold": 0}, "data.folds"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], where: str) -> None:
    assert refusal(**settings).where == f"config key {where}"


def test_fewer_subjects_than_folds_are_refused(tmp_path: Path) -> None:
    manifest = corpus(tmp_path, alone("abcd"))
    with pytest.raises(UserError, match="4 subjects, too few for 5 folds") as caught:
        Split("subject_disjoint_kfold", 5, 0).applied(manifest)
    assert caught.value.where == "config key data.folds"
    assert "data.folds=4" in caught.value.fix


def test_a_recording_of_several_subjects_is_refused_only_where_folds_would_tear_it(tmp_path: Path) -> None:
    torn = [*alone("abcdef"), ("g1", "g1", "visit 7", "training"), ("g2", "g2", "visit 7", "training")]
    manifest = corpus(tmp_path, torn)
    with pytest.raises(UserError) as caught:
        Split("subject_disjoint_kfold", 5, 0).applied(manifest)
    assert caught.value.where == "config key data.protocol"
    assert [str(problem) for problem in caught.value.problems] == [
        "recording visit 7: is of the subjects g1 and g2"
    ]
    assert len(Split("train_dev_merged").applied(manifest).rows("training")) == 8


def test_subjects_in_several_partitions_are_counted(tmp_path: Path) -> None:
    manifest = corpus(
        tmp_path,
        [
            ("a1", "a", "a1", "training"),
            ("a2", "a", "a2", "test"),
            ("a3", "a", "a2", "test"),
            ("b1", "b", "b1", "training"),
            ("b2", "b", "b2", "development"),
            ("c1", "c", "c1", "development"),
            ("c2", "c", "c2", "test"),
            ("d", "d", "d", "training"),
            ("e", "e", "e", "test"),
        ],
    )
    assert subject_overlap(manifest) == {
        "training/development": 1,
        "training/test": 1,
        "development/test": 1,
        "test_videos_of_training_subjects": 2,
        "test_videos_of_development_subjects": 1,
    }
    assert str(overlap_warning(manifest)) == (
        "subjects in several partitions: 1 in training and development, 1 in training and test, "
        "1 in development and test; 2 of 4 test videos are of subjects in training; "
        "1 of 4 test videos are of subjects in development"
    )


def test_merging_leaves_no_leak_but_into_the_test_partition(tmp_path: Path) -> None:
    manifest = corpus(
        tmp_path,
        [
            ("a1", "a", "a1", "training"),
            ("a2", "a", "a2", "development"),
            ("b1", "b", "b1", "development"),
            ("b2", "b", "b2", "test"),
        ],
    )
    merged = Split("train_dev_merged").applied(manifest)
    assert [str(warning) for warning in merged.warnings] == [
        "subject b: is in the partitions training and test"
    ]
    assert subject_overlap(merged) == {
        "training/development": 0,
        "training/test": 1,
        "development/test": 0,
        "test_videos_of_training_subjects": 1,
        "test_videos_of_development_subjects": 0,
    }
