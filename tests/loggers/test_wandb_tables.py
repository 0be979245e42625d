"""The tables and plots of a run's results, from its files alone."""

from pathlib import Path

import pandas as pd
import pytest

from depression_vr.files import write_csv
from depression_vr.loggers.wandb_privacy import SaltedIds
from depression_vr.loggers.wandb_tables import predictions_table, reference_metrics, results_row
from depression_vr.runs.results import write_results
from depression_vr.runs.run import Run

LABELS = [3.0, 15.0, 22.0, 40.0, 41.0]
ESTIMATES = [13.2, 12.0, 22.5, 28.4, 50.0]


def evaluated(folder: Path, maximum: float = 63) -> Run:
    run = Run(folder)
    videos = [f"anna-{number}" for number in range(len(LABELS))]
    windows = pd.DataFrame(
        {"video_id": videos, "window": 0, "first_frame": 0, "last_frame": 9, "estimate": ESTIMATES}
    )
    manifest = pd.DataFrame(
        {"video_id": ["t", *videos], "partition": ["training", *["test"] * 5], "label": [10.0, *LABELS]}
    ).assign(subject="anna", task="Freeform", recording=["r", *videos])
    references = pd.DataFrame({"video_id": videos, "oracle": LABELS})
    write_results(
        run, windows, manifest, corpus="csv", partition="test", maximum=maximum, references=references
    )
    write_csv(
        run.curves_file,
        pd.DataFrame(
            {
                "epoch": [0, 0, 1, 1, 2, 2],
                "development/mae": [9.0, None, 7.0, None, 8.0, None],
                "training/mae_epoch": [None, 12.0, None, 6.0, None, 4.0],
            }
        ),
    )
    return run


def rows(plot: object) -> list[list[object]]:
    return plot.table.data  # type: ignore[attr-defined]


def test_a_salted_id_needs_the_salt(tmp_path: Path) -> None:
    mine, theirs = SaltedIds.new(), SaltedIds.new()
    assert mine.of("anna-1") == SaltedIds(mine.salt).of("anna-1")
    assert len({mine.of("anna-1"), mine.of("anna-2"), theirs.of("anna-1")}) == 3
    mine.write_key(tmp_path / "ids.csv", pd.Series(["anna-1", "anna-2"]))
    key = pd.read_csv(tmp_path / "ids.csv", dtype=str)
    assert dict(key[["video_id", "id"]].to_numpy()) == {
        "anna-1": mine.of("anna-1"),
        "anna-2": mine.of("anna-2"),
    }


def test_the_table_names_no_video_and_its_order_tells_none(tmp_path: Path) -> None:
    run, ids = evaluated(tmp_path), SaltedIds("00" * 32)
    table = predictions_table(run, ids, share_ids=False)
    assert "anna" not in table.to_csv()
    assert table["video"].is_monotonic_increasing
    assert table["score"].tolist() != LABELS
    found = table.set_index("video").loc[[ids.of(f"anna-{number}") for number in range(5)]]
    assert found["score"].tolist() == LABELS
    assert found["error"].tolist() == pytest.approx([10.2, -3.0, 0.5, -11.6, 9.0])
    assert found["score_band"].tolist() == ["minimal", "mild", "moderate", "severe", "severe"]
    assert found["estimate_band"].tolist() == ["minimal", "minimal", "moderate", "moderate", "severe"]


def test_shared_ids_come_with_recording_and_subject(tmp_path: Path) -> None:
    table = predictions_table(evaluated(tmp_path), SaltedIds.new(), share_ids=True)
    assert table["video"].tolist() == [f"anna-{number}" for number in range(5)]
    assert table["recording"].tolist() == table["video"].tolist()
    assert set(table["subject"]) == {"anna"}


def test_the_plots_show_bands_and_epochs(tmp_path: Path) -> None:
    run = evaluated(tmp_path)
    row = results_row(run, predictions_table(run, SaltedIds.new(), share_ids=False))
    by_band = {band: (error, videos) for band, error, videos in rows(row["results/error_by_band"])}
    assert by_band == {
        "minimal": (pytest.approx(10.2), 1),
        "mild": (pytest.approx(3.0), 1),
        "moderate": (pytest.approx(0.5), 1),
        "severe": (pytest.approx(10.3), 2),
    }
    confused = {
        (of, taken_for): count for of, taken_for, count in rows(row["results/band_confusion"]) if count
    }
    assert confused == {
        ("minimal", "minimal"): 1,
        ("mild", "minimal"): 1,
        ("moderate", "moderate"): 1,
        ("severe", "moderate"): 1,
        ("severe", "severe"): 1,
    }
    curves = rows(row["results/curves"])
    assert [value for _, name, value in curves if name == "training"] == [12, 6, 4]
    assert [(epoch, value) for epoch, name, value in curves if name == "best"] == [(1, 7)]
    assert [(epoch, value) for epoch, name, value in curves if name == "last"] == [(2, 8)]
    assert reference_metrics(run)["references/oracle/mae"] == 0


def test_another_scale_has_no_bands(tmp_path: Path) -> None:
    run = evaluated(tmp_path, maximum=70)
    table = predictions_table(run, SaltedIds.new(), share_ids=False)
    assert not [column for column in table if "band" in column]
    assert results_row(run, table).keys() == {"results/predictions", "results/scatter", "results/curves"}


def test_a_run_without_curves_shows_the_rest(tmp_path: Path) -> None:
    run = evaluated(tmp_path)
    run.curves_file.unlink()
    row = results_row(run, predictions_table(run, SaltedIds.new(), share_ids=False))
    assert "results/curves" not in row
    assert "results/scatter" in row
