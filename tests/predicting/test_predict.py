"""Estimates for videos that have no label, from a run that was trained on a few films."""

import csv
import importlib
import json
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import RunCommand, WriteVideo
from depression_vr.intervals.calibration import Calibration, Clips, write_calibration
from depression_vr.runs.bands import NO_DIAGNOSIS
from depression_vr.runs.run import Run
from films import write_film
from photograph import picture, swaying

pytest.importorskip("dlib", reason="the extra [dlib] is not installed")

FRAMES = 12
PARTITIONS = ("training", "training", "development", "test")
TINY = ("model.base_planes=2", "model.layers=[1,1,1,1]", "data.size=16", "data.clip_length=8")
HERE = ("trainer=cpu", "workers=1")


def call(name: str, *arguments: str) -> None:
    """A command in this process, for what all tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        before = logging.getLogger().handlers[:]
        importlib.import_module(f"depression_vr.{name}").main()
        logging.getLogger().handlers[:] = before


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``films/a.mp4`` to ``d.mp4``, ``faces`` made of them, and ``run``, trained on a and b, tested on d."""
    root = tmp_path_factory.mktemp("place")
    (root / "films").mkdir()
    motions = swaying(4 * FRAMES)
    lines = ["path,label,partition,video_id"]
    for number, (name, partition) in enumerate(zip("abcd", PARTITIONS, strict=True)):
        pictures = [picture([motion]) for motion in motions[number * FRAMES : (number + 1) * FRAMES]]
        write_film(root / "films" / f"{name}.mp4", pictures, options={"crf": "16"})
        lines.append(f"videos/{name},{10 * number},{partition},{name}")
    call(
        "preprocess", "faces=dlib", f"input={root}/films", f"out={root}/faces", "crops.size=32", "workers=1",
        "report.faces=false",
    )  # fmt: skip
    (root / "faces" / "videos.csv").write_text("\n".join(lines) + "\n")
    call(
        "train", "data=csv", f"data.table={root}/faces/videos.csv", *TINY, "trainer=cpu", "logger=none",
        "trainer.max_epochs=1", "data.batch_size=2", "data.num_workers=0", "data.frame_step=1",
        "callbacks.progress=null", f"hydra.run.dir={root}/run",
    )  # fmt: skip
    return root


def predictions(folder: str = "out") -> dict[str, dict[str, Any]]:
    content = json.loads(Path(folder, "predictions.json").read_text())
    return {video["video_id"]: video for video in content["videos"]}


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as table:
        return list(csv.DictReader(table))


def score_of_evaluation(run: Path, video_id: str) -> float:
    (row,) = (row for row in rows(run / "predictions.csv") if row["video_id"] == video_id)
    return float(row["estimate"])


def test_a_raw_film_gets_the_score_that_evaluation_gives_its_frames(place: Path, command: RunCommand) -> None:
    shutil.copytree(place / "run", "run")
    config = Path("run/config.yaml")
    config.write_text(config.read_text().replace(str(place / "faces"), "/gone"))  # as on another machine
    outcome = command("predict", "run=run", f"input={place}/films/d.mp4", *HERE, "hydra.run.dir=out")
    assert outcome.code == 0, outcome.err
    found = predictions()["d"]
    assert found["status"] == "scored"
    assert found["estimate"]["score"] == pytest.approx(score_of_evaluation(place / "run", "d"), abs=0.01)
    windows = found["estimate"]["windows"]
    assert [(window["first_frame"], window["last_frame"]) for window in windows] == [(0, 7), (4, 11)]
    assert windows[1]["begins"] == pytest.approx(4 / 30, abs=1e-3)
    assert np.mean([window["estimate"] for window in windows]) == pytest.approx(found["estimate"]["score"])
    assert found["estimate"]["low"] is None
    assert found["notes"] == ["the development partition of csv has 1 subject, and intervals of 90% take 9"]
    content = json.loads(Path("out/predictions.json").read_text())
    assert content["preprocessing"]["origin"] == "recorded"
    assert content["preprocessing"]["settings"]["crops"]["size"] == 32
    (row,) = rows(Path("out/predictions.csv"))
    assert float(row["estimate"]) == found["estimate"]["score"]
    assert row["confidence"] == ""
    assert "the development partition" in row["interval_note"]
    assert row["note"] == NO_DIAGNOSIS
    page = Path("out/videos/d/index.html").read_text()
    assert NO_DIAGNOSIS in page
    assert page.count("data:image/jpeg") == 2 * 2
    assert page.count("data:image/svg+xml") == 2
    assert NO_DIAGNOSIS in Path("out/index.html").read_text()
    assert NO_DIAGNOSIS in outcome.out
    assert "no interval: the development partition of csv has 1 subject" in " ".join(outcome.out.split())


def test_frames_that_are_ready_are_scored_and_finished_ones_left_alone(
    place: Path, command: RunCommand
) -> None:
    arguments = (f"run={place}/run", f"input={place}/faces", *HERE, "hydra.run.dir=out", "report.faces=false")
    assert command("predict", *arguments).code == 0
    first = predictions()
    assert set(first) == {f"videos/{name}" for name in "abcd"}
    assert first["videos/d"]["estimate"]["score"] == pytest.approx(
        score_of_evaluation(place / "run", "d"), abs=0.01
    )
    page = Path("out/videos/videos/d/index.html")
    assert "data:image/jpeg" not in page.read_text()
    Path("out/videos/videos/a/prediction.json").unlink()  # as an interruption leaves it
    of_other_code = Path("out/videos/videos/b/prediction.json")
    content = json.loads(of_other_code.read_text())
    content["made_from"]["code"] = "of before"
    of_other_code.write_text(json.dumps(content))
    pages = [page.parents[1] / name / page.name for name in "abcd"]
    made = [each.stat().st_mtime_ns for each in pages]
    assert command("predict", *arguments).code == 0
    assert predictions() == first
    anew = [each.stat().st_mtime_ns > before for each, before in zip(pages, made, strict=True)]
    assert anew == [True, True, False, False]


def test_intervals_are_those_of_the_runs_calibration(place: Path, command: RunCommand) -> None:
    shutil.copytree(place / "run", "run")
    arguments = ("run=run", f"input={place}/faces/videos/d", *HERE, "report.faces=false")
    assert command("predict", *arguments, "hydra.run.dir=before").code == 0
    weights = json.loads(Path("before/predictions.json").read_text())["weights"]
    calibration = calibrate(Path("run"), weights)
    assert command("predict", *arguments, "confidence=0.8", "hydra.run.dir=out").code == 0
    estimate = predictions()["d"]["estimate"]
    assert (estimate["confidence"], estimate["interval_note"]) == (0.8, None)
    assert estimate["high"] == pytest.approx(estimate["score"] + 0.25 * 32)
    wider = (estimate["spread"] + 0.5) / (0.5 + 0.5)
    assert estimate["high_normalised"] == pytest.approx(estimate["score"] + 0.25 * 32 * wider)
    page = Path("out/videos/d/index.html").read_text()
    assert f"{estimate['low']:.1f} to {estimate['high']:.1f}" in page
    fewer = replace(calibration, residuals=tuple(0.5 * n for n in range(1, 11)), spreads=(0.5,) * 10)
    write_calibration(Run(Path("run")), fewer)  # finished videos do not keep the intervals of before
    assert command("predict", *arguments, "confidence=0.8", "hydra.run.dir=out").code == 0
    found = predictions()["d"]
    assert found["estimate"]["high"] == pytest.approx(estimate["score"] + 0.5 * 9)
    assert any(
        "10 subjects are few: what intervals of 80% really cover varies" in note for note in found["notes"]
    )
    assert "80 % interval" in page


def calibrate(run: Path, weights: str) -> Calibration:
    """Errors of 0.25 to 9.75 points."""
    calibration = Calibration(
        corpus="csv", dataset="x", partition="development", videos=39, selected_on=False, maximum=63,
        weights=weights, clips=Clips(
            8, 1, (16, 16), "size", ((0, 1, 0, 1),), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        ),
        residuals=tuple(0.25 * n for n in range(1, 40)), spreads=(0.5,) * 39,
    )  # fmt: skip
    write_calibration(Run(run), calibration)
    return calibration


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("decline.least_frames=13", "frames with the face: 12, where at least 13 is accepted"),
        ("decline.least_face_width=500", "width of the face in the video"),
    ],
)
def test_a_video_is_declined_and_the_reason_told(
    place: Path, command: RunCommand, limit: str, reason: str
) -> None:
    arguments = (f"run={place}/run", f"input={place}/faces/videos/d", *HERE, "hydra.run.dir=out")
    outcome = command("predict", *arguments, limit, "decline.margin=10", "report.faces=false")
    assert outcome.code == 0
    found = predictions()["d"]
    assert found["status"] == "declined"
    assert found["estimate"] is None
    assert len(found["reasons"]) == 1
    assert found["reasons"][0].startswith(reason)
    assert reason in Path("out/videos/d/index.html").read_text()
    (row,) = rows(Path("out/predictions.csv"))
    assert (row["estimate"], row["band"], row["status"]) == ("", "", "declined")


def test_bounds_are_quantiles_of_training_less_margins(place: Path, command: RunCommand) -> None:
    record = json.loads((place / "run" / "record.json").read_text())
    shutil.copytree(place / "run", "run")
    quality = record["dataset"]["preprocessing"]["quality"]
    seen = {"sharpness_mean": (200, 900), "brightness_mean": (60, 150), "yaw_mean": (-12, 20)}
    for name, (low, high) in seen.items():
        quality[name] |= {"0.01": low, "0.99": high}
    Path("run/record.json").write_text(json.dumps(record))
    arguments = ("run=run", f"input={place}/faces/videos/d", *HERE, "hydra.run.dir=out", "report.faces=false")
    assert command("predict", *arguments, "decline.margin=0.2", "decline.angle_margin=10").code == 0
    bounds = {check["measure"]: (check["low"], check["high"]) for check in predictions()["d"]["checks"]}
    assert bounds["sharpness of the face"] == (pytest.approx(200 * 0.8**2), pytest.approx(900 * 1.2**2))
    assert bounds["brightness of the face"] == (pytest.approx(48), pytest.approx(180))
    assert bounds["turn of the head to the side, yaw"] == (pytest.approx(-22), pytest.approx(30))


def test_a_changed_summary_makes_the_prediction_anew(place: Path, command: RunCommand) -> None:
    shutil.copytree(place / "faces" / "videos" / "d", "d")
    arguments = (f"run={place}/run", "input=d", *HERE, "hydra.run.dir=out", "report.faces=false")
    assert command("predict", *arguments).code == 0
    assert predictions()["d"]["status"] == "scored"
    summary = json.loads(Path("d/summary.json").read_text())
    summary["several_faces_rate"] = 0.5
    del summary["face_width_mean"]  # as of before it was measured
    Path("d/summary.json").write_text(json.dumps(summary))
    assert command("predict", *arguments).code == 0
    notes = predictions()["d"]["notes"]
    assert any("50% of the frames show several faces" in note for note in notes)
    assert any("not checked: width of the face" in note for note in notes)


def test_substituted_frames_are_counted_and_not_of_use(place: Path, command: RunCommand) -> None:
    shutil.copytree(place / "faces" / "videos" / "d", "d")
    for frame in sorted(Path("d").glob("*.jpg"))[5:7]:  # in both windows
        frame.write_bytes(b"x")
    arguments = (f"run={place}/run", "input=d", *HERE, "hydra.run.dir=out", "report.faces=false")
    assert command("predict", *arguments).code == 1
    (reason,) = predictions()["d"]["reasons"]
    assert "a frame cannot be read" in reason
    assert "\n" not in reason
    assert command("predict", *arguments, "data.on_bad_frame=skip").code == 0
    found = predictions()["d"]
    assert (found["status"], found["usable_frames"]) == ("scored", FRAMES - 2)
    assert found["notes"][0].startswith(f"2 of {FRAMES} frames could not be read")
    few = ("data.on_bad_frame=skip", "decline.least_frames=11")
    assert command("predict", *arguments, *few).code == 0
    found = predictions()["d"]
    assert (found["status"], found["estimate"]) == ("declined", None)


def test_outputs_below_the_input_are_not_taken_for_input(place: Path, command: RunCommand) -> None:
    Path("home").mkdir()
    shutil.copy(place / "films" / "c.mp4", "home/first.mp4")
    arguments = (f"run={place}/run", "input=home", *HERE, "report.faces=false")
    assert command("predict", *arguments, "hydra.run.dir=home/outputs/T1").code == 0
    shutil.copy(place / "films" / "d.mp4", "home/second.mp4")
    for out in ("home/outputs/T1", "home/outputs/T2"):
        assert command("predict", *arguments, f"hydra.run.dir={out}").code == 0
        assert set(predictions(out)) == {"first", "second"}
    other = command("predict", *arguments, "faces=dlib", "crops.size=48", "hydra.run.dir=home/outputs/T1")
    assert other.code == 2
    assert "hydra.run.dir=" in other.err
    assert "overwrite" not in other.err


def test_a_path_that_ends_in_two_dots_names_the_folder_above(place: Path, command: RunCommand) -> None:
    shutil.copytree(place / "faces" / "videos" / "d", "d")
    Path("d/inside").mkdir()
    arguments = (f"run={place}/run", "input=d/inside/..", *HERE, "hydra.run.dir=out", "report.faces=false")
    assert command("predict", *arguments).code == 0
    assert set(predictions()) == {"d"}


def test_a_film_that_is_darker_than_all_in_training_is_declined(place: Path, command: RunCommand) -> None:
    pictures = [picture([motion]) // 3 for motion in swaying(FRAMES)]
    write_film(Path("dark.mp4"), pictures, options={"crf": "16"})
    outcome = command("predict", f"run={place}/run", "input=dark.mp4", *HERE, "hydra.run.dir=out")
    assert outcome.code == 0
    found = predictions()["dark"]
    assert found["status"] == "declined"
    assert any(reason.startswith("brightness of the face") for reason in found["reasons"])
    assert found["usable_frames"] == FRAMES


def test_nobody_in_the_film_is_declined_and_no_film_at_all_fails(place: Path, command: RunCommand) -> None:
    Path("mixed").mkdir()
    write_film(Path("mixed/empty.mp4"), 10)
    Path("mixed/broken[/bold].mp4").parent.mkdir()
    Path("mixed/broken[/bold].mp4").write_bytes(b"no film")
    shutil.copy(place / "films" / "d.mp4", "mixed/person.mp4")
    outcome = command("predict", f"run={place}/run", "input=mixed", *HERE, "hydra.run.dir=out")
    assert outcome.code == 1
    found = predictions()
    assert "broken[/bold]" in outcome.out
    assert {name: video["status"] for name, video in found.items()} == {
        "broken[/bold]": "failed",
        "empty": "declined",
        "person": "scored",
    }
    assert found["empty"]["reasons"] == ["no face was found in the whole video"]
    index = Path("out/index.html").read_text()
    assert 'href="videos/person/index.html"' in index
    assert "videos/empty/" not in index


def test_frames_that_were_made_otherwise_are_declined_unless_told(place: Path, command: RunCommand) -> None:
    shutil.copytree(place / "run", "run")
    shutil.copytree(place / "faces" / "videos" / "d", "other")
    summary = json.loads(Path("other/summary.json").read_text())
    summary["fingerprint"]["crops"]["size"] = 48
    Path("other/summary.json").write_text(json.dumps(summary))
    arguments = ("run=run", "input=other", *HERE, "hydra.run.dir=out", "report.faces=false")
    assert command("predict", *arguments).code == 0
    calibrate(Path("run"), json.loads(Path("out/predictions.json").read_text())["weights"])
    (found,) = predictions().values()
    assert found["status"] == "declined"
    assert "crops.size: was 32, is now 48" in found["reasons"][0]
    assert command("predict", *arguments, "decline.other_settings=false").code == 0
    (found,) = predictions().values()
    assert found["status"] == "scored"
    assert any("crops.size" in note for note in found["notes"])
    assert (found["estimate"]["low"], found["estimate"]["confidence"]) == (None, None)
    assert "other settings" in found["estimate"]["interval_note"]


def test_own_frames_are_scored_and_their_quality_said_to_be_unknown(
    place: Path, command: RunCommand, write_video: WriteVideo
) -> None:
    write_video(Path("own"), 12)
    shutil.copytree(place / "run", "run")
    arguments = ("run=run", "input=own", *HERE, "hydra.run.dir=out")
    assert command("predict", *arguments).code == 0
    calibrate(Path("run"), json.loads(Path("out/predictions.json").read_text())["weights"])
    outcome = command("predict", *arguments)
    assert "(?) whether the interval holds is not known" in outcome.out
    assert "whether the interval holds is not known" in Path("out/videos/own/index.html").read_text()
    found = predictions()["own"]
    assert found["status"] == "scored"
    assert "how good the frames are is not known" in found["notes"][0]
    assert found["estimate"]["windows"][0]["begins"] is None
    assert "not known how the frames were made" in found["estimate"]["interval_note"]


def test_a_run_that_recorded_nothing_wants_the_settings_by_hand(place: Path, command: RunCommand) -> None:
    shutil.copytree(place / "run", "run")
    record = json.loads(Path("run/record.json").read_text())
    del record["dataset"]["preprocessing"]
    failed = {"status": "failed", "error": "UserError: a frame cannot be read"}
    Path("run/record.json").write_text(json.dumps(record | failed))
    arguments = ("run=run", f"input={place}/films/d.mp4", *HERE, "hydra.run.dir=out", "report.faces=false")
    refused = command("predict", *arguments)
    assert refused.code == 2
    assert "faces=dlib" in refused.err
    assert not Path("out/faces").exists()
    assert command("predict", *arguments, "faces=dlib", "crops.size=32").code == 0
    content = json.loads(Path("out/predictions.json").read_text())
    assert content["preprocessing"]["origin"] == "given by hand"
    assert content["unfinished"] == "failed: a frame cannot be read"
    (found,) = content["videos"]
    assert found["estimate"]["score"] == pytest.approx(score_of_evaluation(place / "run", "d"), abs=0.01)
    assert any("given by hand" in note for note in found["notes"])
    shutil.rmtree("run/checkpoints")
    assert "the run has no checkpoint" in command("predict", *arguments).err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "config key input"),
        (("input=",), "config key input"),
        (("input=nowhere.mp4",), "nowhere.mp4 cannot be read"),
        (("input=empty",), "a folder that `preprocess` has filled"),
        (("input=empty", "confidence=2"), "config key confidence"),
        (("input=empty", "workers=two"), "config key workers"),
        (("input={films}/d.mp4", "faces=dlib", "fps=-1"), "config key fps"),
        (("input=empty", "decline.quantile=0.3"), "config key decline.quantile"),
        (("input=empty", "report.pictures=0"), "config key report.pictures"),
        (("input={films}/d.mp4", "report.method=relations"), "config key report.method"),
        (
            ("input=raw_and_ready",),
            "both raw videos, such as d.mp4, and frames that are ready, such as faces/d",
        ),
        (("input={films}/d.mp4", "precision=64"), "config key precision"),
        (("input=both",), "holds both images and videos, such as d.mp4"),
        (("input=twins",), "the video_id 'd' occurs 2 times\n  what to do: correct the rows or files"),
        (("input={films}/d.mp4", "model=r3d_18"), "a run brings its own network"),
    ],
)
def test_wrong_input_is_told_and_nothing_is_written(
    place: Path, command: RunCommand, write_video: WriteVideo, arguments: tuple[str, ...], told: str
) -> None:
    Path("empty").mkdir()
    shutil.copy(place / "films" / "d.mp4", write_video(Path("both"), 2))
    Path("twins").mkdir()
    for name in ("d.mp4", "d.avi"):
        shutil.copy(place / "films" / "d.mp4", Path("twins", name))
    Path("raw_and_ready").mkdir()
    shutil.copy(place / "films" / "d.mp4", "raw_and_ready")
    shutil.copytree(place / "faces" / "videos" / "d", "raw_and_ready/faces/d")
    given = [argument.format(films=place / "films") for argument in arguments]
    outcome = command("predict", f"run={place}/run", *HERE, *given, "hydra.run.dir=out")
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("out/predictions.json").exists()
