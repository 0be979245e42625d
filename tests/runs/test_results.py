"""Tables and metrics computed from window scores, and files written whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from depression_vr.errors import UserError
from depression_vr.files import write_json, write_text
from depression_vr.runs.bands import severity_band
from depression_vr.runs.results import (
    agreement,
    band_confusion,
    reference_summary,
    summary,
    video_table,
    write_results,
)
from depression_vr.runs.run import Run


@pytest.fixture
def manifest() -> pd.DataFrame:
    rows = [
        (f"{subject}_1_{task}", "/frames", label, partition, str(subject), task, f"{subject}_1")
        for subject, label, partition in ((301, 10.0, "training"), (305, 4.0, "test"), (306, 30.0, "test"))
        for task in ("Freeform", "Northwind")
    ]
    columns = ["video_id", "path", "label", "partition", "subject", "task", "recording"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def windows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("305_1_Freeform", 0, 0, 7, 5.0),
            ("305_1_Freeform", 1, 8, 15, 9.0),
            ("305_1_Northwind", 0, 0, 7, 1.0),
            ("306_1_Freeform", 0, 0, 7, 20.0),
            ("306_1_Northwind", 0, 0, 7, 34.0),
        ],
        columns=["video_id", "window", "first_frame", "last_frame", "estimate"],
    )


def test_a_videos_estimate_is_the_mean_of_its_windows(windows: pd.DataFrame, manifest: pd.DataFrame) -> None:
    videos = video_table(windows, manifest)
    assert videos["video_id"].tolist() == manifest["video_id"].tolist()[2:]
    assert videos["estimate"].tolist() == [7, 1, 20, 34]
    assert videos["windows"].tolist() == [2, 1, 1, 1]


def test_metrics_are_reported_over_videos_per_task_and_over_recordings(
    windows: pd.DataFrame, manifest: pd.DataFrame
) -> None:
    metrics = summary(video_table(windows, manifest), maximum=63)
    assert metrics["videos"]["mae"] == pytest.approx((3 + 3 + 10 + 4) / 4)
    assert metrics["tasks"]["Freeform"]["mae"] == pytest.approx((3 + 10) / 2)
    assert metrics["recordings"]["mae"] == pytest.approx((0 + 3) / 2)  # (7 + 1) / 2 = 4, (20 + 34) / 2 = 27
    assert metrics["recordings"]["n"] == 2
    assert metrics["recordings"]["severity_bands"]["severe"]["moderate"] == 1
    assert metrics["tasks"]["Northwind"]["severity_bands"]["severe"]["severe"] == 1
    severe = metrics["videos"]["severity_bands"]["severe"]
    assert severe == {"minimal": 0, "mild": 0, "moderate": 1, "severe": 1}


def test_another_scale_has_no_bdi_bands(windows: pd.DataFrame, manifest: pd.DataFrame) -> None:
    assert "severity_bands" not in summary(video_table(windows, manifest), maximum=24)["videos"]


@pytest.mark.parametrize(
    ("score", "band"),
    [(0, "minimal"), (13, "minimal"), (13.4, "minimal"), (13.5, "mild"), (19, "mild"), (20, "moderate"),
     (28, "moderate"), (29, "severe"), (63, "severe"), (75, "severe")],
)  # fmt: skip
def test_severity_bands_are_those_of_bdi(score: float, band: str) -> None:
    assert list(severity_band(pd.Series([score]))) == [band]


def test_band_confusion_counts_every_video_once() -> None:
    table = pd.DataFrame({"label": [5, 15, 25, 40, 41], "estimate": [3, 30, 25, 2, 50]})
    confusion = band_confusion(table)
    assert sum(sum(row.values()) for row in confusion.values()) == 5
    assert confusion["mild"]["severe"] == confusion["severe"]["minimal"] == 1


def test_references_stand_beside_the_network(windows: pd.DataFrame, manifest: pd.DataFrame) -> None:
    videos = video_table(windows, manifest)
    oracle = videos[["video_id"]].assign(oracle=videos["label"] + 1)
    metrics = reference_summary(videos, oracle, training_mean=10.0)
    assert metrics["mean_predictor"]["mae"] == pytest.approx(13)
    assert metrics["oracle"]["mae"] == pytest.approx(1)


def test_metrics_can_be_computed_again_from_the_predictions_file(
    tmp_path: Path, windows: pd.DataFrame, manifest: pd.DataFrame
) -> None:
    run = Run(tmp_path / "run")
    windows["estimate"] /= 3  # numbers without a short decimal form
    references = manifest.loc[manifest["partition"] == "test", ["video_id"]]
    write_results(run, windows, manifest, corpus="csv", partition="test", maximum=63, references=references)
    again = run.predictions()
    assert agreement(again) | {"severity_bands": band_confusion(again)} == run.metrics()["videos"]
    windows_again = video_table(pd.read_csv(run.windows_file), manifest)
    np.testing.assert_array_equal(windows_again["estimate"], run.predictions()["estimate"])


def test_predictions_are_refused_unless_they_are_whole_and_those_of_the_metrics(
    tmp_path: Path, windows: pd.DataFrame, manifest: pd.DataFrame
) -> None:
    run = Run(tmp_path / "run")
    references = manifest.loc[manifest["partition"] == "test", ["video_id"]]
    write_results(run, windows, manifest, corpus="csv", partition="test", maximum=63, references=references)
    heading, *rows = run.predictions_file.read_text().splitlines(keepends=True)
    for content, told in (
        ("", "predictions.csv is damaged: No columns"),
        (heading, "predictions.csv is damaged: it has no videos"),
        (heading + rows[0] + rows[0], "predictions.csv is damaged: it has a video twice"),
        (heading + rows[0] + rows[1][:20], "predictions.csv is damaged: a number is not finite"),
        (heading + "".join(rows[:-1]), "metrics.json and predictions.csv disagree"),
    ):
        run.predictions_file.write_text(content)
        with pytest.raises(UserError, match=told):
            run.predictions()


def test_a_diverged_networks_predictions_can_be_read(tmp_path: Path, manifest: pd.DataFrame) -> None:
    run = Run(tmp_path / "run")
    manifest["subject"] = manifest["subject"].replace("305", "NA")
    tested = manifest.loc[manifest["partition"] == "test", ["video_id"]]
    windows = tested.assign(window=0, first_frame=0, last_frame=7, estimate=[np.nan, 1.0, 2.0, 3.0])
    write_results(run, windows, manifest, corpus="csv", partition="test", maximum=63, references=tested)
    videos = run.predictions()
    np.testing.assert_array_equal(videos["estimate"], windows["estimate"])
    assert list(videos["subject"]) == ["NA", "NA", "306", "306"]


def test_an_undefined_metric_is_null_in_json(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"pearson": float("nan"), "rows": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"pearson": None, "rows": [None, 1.5]}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    write_text(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "new \ud800")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
