"""A run's calibration: made by training, used by evaluation, made anew by its own command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from conftest import Outcome, RunCommand
from depression_vr.data.manifest import Manifest
from depression_vr.data.protocol import Split
from depression_vr.intervals.calibration import read_calibration
from depression_vr.runs.bands import severity_band
from depression_vr.runs.reproduction.results import Results, compare_results
from depression_vr.runs.run import Run

SETTINGS = (
    "data.clip_length=4",
    "data.frame_step=1",
    "data.size=16",
    "data.num_workers=0",
    "trainer=cpu",
)
TRAINING = (*SETTINGS, "model.base_planes=2", "model.layers=[1,1,1,1]", "trainer.max_epochs=1", "logger=csv")
SUBJECTS = {"training": 2, "development": 10, "test": 4}
KINDS = ("standard", "normalised")


def write_corpus(root: Path, subjects: dict[str, int]) -> Path:
    """Two videos of each subject, of one and of two windows; returns the table."""
    generator = np.random.default_rng(0)
    lines = ["path,label,partition,subject,task,recording"]
    for partition, count in subjects.items():
        for number in range(count):
            subject, label = f"{partition}{number}", generator.integers(0, 46)
            for task, frames in (("Freeform", 4), ("Northwind", 8)):
                folder = root / f"{subject}_{task}"
                folder.mkdir(parents=True)
                for frame in range(frames):
                    pixels = generator.integers(0, 256, (16, 16, 3), np.uint8)
                    Image.fromarray(pixels).save(folder / f"{frame:03d}.png")
                lines.append(f"{folder.name},{label},{partition},{subject},{task},{subject}")
    table = root / "videos.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def with_labels(table: Path, name: str, changed: Callable[[int], int]) -> Path:
    """The same videos with other labels, in a table beside the first one."""
    videos = pd.read_csv(table)
    videos["label"] = videos["label"].map(changed)
    videos.to_csv(table.with_name(name), index=False)
    return table.with_name(name)


def fold_with_training_videos(table: Path) -> int:
    """A fold whose development partition has videos that the corpus trains on."""
    manifest = Manifest("csv", pd.read_csv(table).assign(video_id=""), 63, ())
    for fold in range(5):
        roles = Split("subject_disjoint_kfold", fold=fold).applied(manifest).table["partition"]
        if ((roles == "development") & (manifest.table["partition"] == "training")).any():
            return fold
    raise AssertionError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("intervals") / "corpus", SUBJECTS)


@pytest.fixture
def run(corpus: Path, command: RunCommand) -> Run:
    """A trained run; trained once for all tests, each gets a copy."""
    made = corpus.parent / "run"
    if not made.exists():
        outcome = command("train", "data=csv", f"data.table={corpus}", *TRAINING, f"hydra.run.dir={made}")
        assert outcome.code == 0, outcome.err
        (made / "printed.txt").write_text(outcome.out)
    shutil.copytree(made, "run")
    return Run(Path("run"))


Evaluate = Callable[..., Outcome]


@pytest.fixture
def evaluate(command: RunCommand) -> Evaluate:
    def evaluated(*overrides: str) -> Outcome:
        shutil.rmtree("out", ignore_errors=True)
        outcome = command("evaluate", "run=run", "hydra.run.dir=out", "trainer=cpu", *overrides)
        assert outcome.code == 0, outcome.err
        return outcome

    return evaluated


def intervals(folder: str = "out") -> dict[str, object]:
    found: dict[str, object] = Run(Path(folder)).metrics()["intervals"]
    return found


def reason(folder: str = "out") -> str:
    """Why there are none, of results that hold none."""
    found = intervals(folder)
    assert (found["calibration"], found["standard"], found["normalised"]) == (None, None, None)
    assert not {"low", "high"} & set(Run(Path(folder)).predictions())
    return str(found["reason"])


def test_training_calibrates_on_the_development_partition(run: Run, evaluate: Evaluate) -> None:
    calibration = read_calibration(run)
    assert calibration is not None
    assert (calibration.corpus, calibration.partition) == ("csv", "development")
    assert (calibration.subjects, calibration.videos) == (10, 20)
    assert calibration.dataset == run.record()["dataset"]["fingerprint"]
    assert calibration.selected_on is True
    evaluate("partition=development")
    videos = Run(Path("out")).predictions()
    errors = (videos["estimate"] - videos["label"]).abs().to_list()
    found = sorted(zip(calibration.residuals, calibration.spreads, strict=True))
    assert list(calibration.residuals) == sorted(calibration.residuals)
    known = list(zip(errors, videos["spread"], strict=True))
    assert all(any(pair == pytest.approx(one, abs=1e-4) for one in known) for pair in found)
    assert "calibrated on" in reason()


def test_a_calibration_names_nobody(run: Run) -> None:
    content = run.calibration_file.read_text()
    videos = Run(run.folder).predictions()
    assert not any(name in content for name in ("Freeform", "development0", *videos["video_id"]))


def test_coverage_and_width_follow_from_the_table(run: Run) -> None:
    videos, found = run.predictions(), run.metrics()["intervals"]
    calibration = read_calibration(run)
    assert calibration is not None and found["reason"] is None
    assert (found["confidence"], found["subjects"], found["calibration"]["subjects"]) == (0.9, 4, 10)
    for kind, ending in zip(KINDS, ("", "_normalised"), strict=True):
        low, high = videos[f"low{ending}"], videos[f"high{ending}"]
        assert found[kind]["coverage"] == videos["label"].between(low, high).mean()
        assert found[kind]["mean_width"] == pytest.approx((high - low).mean())
        assert found[kind]["median_width"] == pytest.approx((high - low).median())
        assert found[kind]["coverage_low"] <= found[kind]["coverage"] <= found[kind]["coverage_high"]
        assert ((low >= 0) & (high <= 63) & (low <= videos["estimate"]) & (videos["estimate"] <= high)).all()
    bands = found["severity_bands"]
    assert sum(band["videos"] for band in bands.values()) == len(videos)
    for name, band in bands.items():
        rows = videos[severity_band(videos["label"]) == name]
        assert (band["videos"], band["subjects"]) == (len(rows), rows["subject"].nunique())
        assert (
            band["normalised"]
            == rows["label"].between(rows["low_normalised"], rows["high_normalised"]).mean()
        )
    # with ten subjects the interval of 90% reaches as far as the largest error: 0.9 x 11 rounded up is 10
    furthest = videos["estimate"] + calibration.residuals[-1]
    assert videos["high"].tolist() == pytest.approx(furthest.clip(upper=63).tolist(), abs=1e-4)
    assert videos.loc[videos["windows"] == 1, "spread"].tolist() == [0] * 4
    printed = (Path(run.folder) / "printed.txt").read_text()
    assert f"standard cover {found['standard']['coverage']:.0%}" in printed


def test_evaluation_uses_the_runs_calibration(run: Run, evaluate: Evaluate) -> None:
    evaluate()
    assert intervals() == run.metrics()["intervals"]
    assert Run(Path("out")).predictions_file.read_bytes() == run.predictions_file.read_bytes()
    evaluate("confidence=0.7")
    narrower = Run(Path("out")).predictions()
    assert (narrower["high"] - narrower["low"]).mean() < run.metrics()["intervals"]["standard"]["mean_width"]
    assert "intervals: none" in evaluate("confidence=0.95").out
    assert "10 subjects, and intervals of 95% take 19" in reason()


def test_a_calibration_is_not_applied_to_what_it_does_not_belong_to(run: Run, evaluate: Evaluate) -> None:
    for other in ("data.frame_step=2", "data.normalisation.mean=[0.2,0.2,0.2]", "+data.regions.0.bottom=0.5"):
        evaluate(other)
        assert "cut or normalised otherwise" in reason()
    best = run.checkpoints / "best.ckpt"
    content = torch.load(best, weights_only=True)
    next(iter(content["state_dict"].values())).add_(0.01)
    torch.save(content, best)
    evaluate()
    assert "another checkpoint" in reason()
    run.calibration_file.unlink()
    evaluate()
    assert "depression_vr.calibrate" in reason()


def test_calibrate_makes_what_training_makes(run: Run, command: RunCommand) -> None:
    made = json.loads(run.calibration_file.read_text())
    run.calibration_file.unlink()
    outcome = command("calibrate", "run=run", "trainer=cpu")
    assert outcome.code == 0, outcome.err
    assert json.loads(run.calibration_file.read_text()) == made
    assert "calibrated on 10 subjects of csv, one of their 20 videos each" in outcome.out
    assert "are few" in outcome.out
    assert not Path("outputs").exists()


def test_calibrate_takes_another_corpus_for_weights_from_elsewhere(
    run: Run, command: RunCommand, evaluate: Evaluate, tmp_path: Path
) -> None:
    run.record_file.write_text(json.dumps(run.record() | {"imported": {"file": "released.pth"}}))
    other = write_corpus(tmp_path / "other", {"development": 12, "test": 1})
    outcome = command(
        "calibrate", "run=run", "trainer=cpu", "data=csv", f"data.table={other}", "confidence=0.8"
    )
    assert outcome.code == 0, outcome.err
    calibration = read_calibration(run)
    assert calibration is not None
    assert (calibration.subjects, calibration.selected_on) == (12, None)
    assert "is not known" in outcome.out
    evaluate()
    found = intervals()
    assert found["reason"] is None
    assert set(found["calibration"]) == set(run.metrics()["intervals"]["calibration"])  # type: ignore[call-overload]


def dealt_anew(fold: int) -> tuple[str, ...]:
    return ("data.protocol=subject_disjoint_kfold", f"fold={fold}")


def test_calibrating_on_videos_that_were_trained_on_is_refused(
    run: Run, command: RunCommand, corpus: Path
) -> None:
    before = run.calibration_file.read_bytes()
    same = ("data=csv", f"data.table={corpus}")
    relabelled = with_labels(corpus, "relabelled.csv", lambda label: label + 1)
    for arguments, told in (
        ((*same, *dealt_anew(fold_with_training_videos(corpus))), "trained on"),
        (("data=csv", f"data.table={relabelled}"), "is not known"),
    ):
        outcome = command("calibrate", "run=run", "trainer=cpu", *arguments)
        assert outcome.code == 2 and told in outcome.err
        assert run.calibration_file.read_bytes() == before


def test_whether_the_checkpoint_was_selected_on_the_videos_is_said(
    run: Run, command: RunCommand, corpus: Path, evaluate: Evaluate
) -> None:
    def selected_on(*arguments: str) -> bool | None:
        outcome = command("calibrate", "run=run", "trainer=cpu", *arguments)
        assert outcome.code == 0, outcome.err
        assert ("with this checkpoint only" in outcome.out) == any("ckpt=" in each for each in arguments)
        calibration = read_calibration(run)
        assert calibration is not None
        return calibration.selected_on

    assert selected_on(f"ckpt={run.checkpoints}/best.ckpt") is None
    relabelled = with_labels(corpus, "relabelled.csv", lambda label: label + 1)
    assert selected_on("partition=test", "data=csv", f"data.table={relabelled}") is None
    assert selected_on("partition=test") is False
    evaluate("confidence=0.5")
    assert "calibrated on" in reason()


def test_intervals_promise_nothing_of_videos_that_were_trained_on(
    run: Run, corpus: Path, evaluate: Evaluate
) -> None:
    evaluate("partition=training")
    assert reason() == "the network was trained on 4 of the 4 videos"
    fold = fold_with_training_videos(corpus)
    evaluate("data=csv", f"data.table={corpus}", "partition=development", *dealt_anew(fold))
    assert "trained on" in reason()


def test_a_calibration_is_of_one_scale(
    run: Run, command: RunCommand, corpus: Path, evaluate: Evaluate
) -> None:
    short = with_labels(corpus, "short.csv", lambda label: label % 25)
    other = ("data=csv", f"data.table={short}", "data.maximum=24")
    outcome = command("calibrate", "run=run", "trainer=cpu", *other)
    assert outcome.code == 2 and "ends at 24, and that of the network at 63" in outcome.err
    evaluate(*other)
    assert "the scale ends at 24" in reason()


def test_without_a_development_partition_there_are_no_intervals(command: RunCommand, corpus: Path) -> None:
    table = ("data=csv", f"data.table={corpus}")
    merged = ("data.protocol=train_dev_merged", "model=mean_baseline", "trainer.max_epochs=1", "logger=none")
    outcome = command("train", *table, *SETTINGS, *merged, "hydra.run.dir=run")
    assert outcome.code == 0, outcome.err
    assert not Run(Path("run")).calibration_file.exists()
    assert "data=" in reason("run")
    assert "train_dev_merged leaves no videos" in outcome.err
    outcome = command("calibrate", "run=run", "trainer=cpu")
    assert outcome.code == 2
    assert "data.protocol=train_dev_merged" in outcome.err and "data=..." in outcome.err
    outcome = command("calibrate", "run=run", "trainer=cpu", *table)
    assert outcome.code == 2 and "trained on 20 of the 20 videos" in outcome.err


def wrong() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Command, arguments and what the error has to mention."""
    return {
        "no run": ("calibrate", ("run=nowhere",), "nowhere"),
        "run not given": ("calibrate", (), "run"),
        "trained on": ("calibrate", ("run=run", "partition=training"), "config key partition"),
        "confidence of one": ("calibrate", ("run=run", "confidence=1"), "config key confidence"),
        "word as confidence": ("evaluate", ("run=run", "confidence=high"), "config key confidence"),
        "percent": ("evaluate", ("run=run", "confidence=90"), "config key confidence"),
    }


@pytest.mark.parametrize("case", wrong())
def test_wrong_input_gets_one_error(run: Run, command: RunCommand, case: str) -> None:
    name, arguments, mentioned = wrong()[case]
    before = run.calibration_file.read_bytes()
    outcome = command(name, *arguments)
    assert outcome.code == 2
    assert mentioned in outcome.err
    assert "Traceback" not in outcome.err
    assert run.calibration_file.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content[:-40], "JSON"),
        (lambda content: content.replace('"residuals": [', '"residuals": [-1.0,'), "residuals"),
        (lambda content: content.replace('"spreads": [', '"spreads": [1.0,'), "not as many spreads"),
        (lambda content: content.replace('"weights"', '"wights"'), "weights"),
        (lambda _: "\xff\xfe", "damaged"),
    ],
)
def test_a_damaged_calibration_is_named(
    run: Run, command: RunCommand, change: Callable[[str], str], told: str
) -> None:
    run.calibration_file.write_text(change(run.calibration_file.read_text()), encoding="latin-1")
    outcome = command("evaluate", "run=run", "hydra.run.dir=out", "trainer=cpu")
    assert outcome.code == 2
    assert "calibration.json" in outcome.err and told in outcome.err
    assert "Traceback" not in outcome.err
    assert not Run(Path("out")).metrics_file.exists()


def test_curves_of_a_training_know_nothing_of_calibrating(run: Run) -> None:
    logged = pd.read_csv(run.curves_file)
    assert logged["development/mae"].notna().sum() == 1  # of its only epoch
    assert logged["test/mae"].notna().sum() == 1


def test_a_run_from_before_there_were_intervals_is_reproduced(run: Run) -> None:
    shutil.copytree(run.folder, "older")
    older = Run(Path("older"))
    metrics = older.metrics()
    metrics["intervals"]["standard"]["coverage"] = 0.5
    older.metrics_file.write_text(json.dumps(metrics))
    differing = compare_results(Results.of(older), Results.of(run), tolerance=0)
    assert "intervals.standard.coverage" in differing.metrics
    assert not differing.is_identical
    del metrics["intervals"]
    older.metrics_file.write_text(json.dumps(metrics))
    assert compare_results(Results.of(older), Results.of(run), tolerance=0).is_identical
