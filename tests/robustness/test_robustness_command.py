"""``python -m depression_vr.robustness`` as a user types it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from PIL import Image

import depression_vr.robustness
import depression_vr.train
from conftest import Outcome, RunCommand
from depression_vr.errors import UserError
from depression_vr.robustness_study.figure import draw_study
from depression_vr.runs.bands import NO_DIAGNOSIS
from depression_vr.runs.predictions import read_predictions
from depression_vr.runs.run import Run

FEW = ("degradations=[noise,frame_rate]", "levels.noise=[4,64]", "levels.frame_rate=[4]")
ROWS = [("none", ""), ("noise", "4"), ("noise", "64"), ("frame_rate", "4")]
Study = Callable[..., Outcome]


def write_corpus(folder: Path) -> Path:
    """A table of 12 videos of 4 to 15 frames of noise, 6 of them to test; returns the CSV file."""
    generator = np.random.default_rng(0)
    lines = ["path,label,partition,subject"]
    partitions = ["training"] * 4 + ["development"] * 2 + ["test"] * 6
    for number, partition in enumerate(partitions):
        video = folder / f"video{number}"
        video.mkdir(parents=True)
        for frame in range(4 + number):
            pixels = generator.integers(0, 256, (4, 4, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
            Image.fromarray(pixels).save(video / f"{frame:03d}.png")
        lines.append(f"video{number},{5 * number % 40},{partition},{100 + number}")
    table = folder / "videos.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny STA-DRN, trained for an epoch and tested."""
    folder = tmp_path_factory.mktemp("training")
    arguments = [
        "data=csv", f"data.table={write_corpus(folder / 'corpus')}", "logger=none", "trainer=cpu",
        "trainer.max_epochs=1", "model.base_planes=2", "model.layers=[1,1,1,1]", "data.clip_length=8",
        "data.frame_step=1", "data.size=16", "data.num_workers=0", "data.evaluation_batch_size=4",
        "name=tiny", f"hydra.run.dir={folder / 'run'}",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train", *arguments])
        depression_vr.train.main()
    return Run(folder / "run")


def study_of(run: object, folder: object) -> list[str]:
    """The arguments of a small study."""
    return [f"run={run}", "trainer=cpu", *FEW, f"hydra.run.dir={folder}"]


@pytest.fixture(scope="module")
def finished(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small study of the run."""
    folder = tmp_path_factory.mktemp("studies") / "finished"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["robustness", *study_of(run.folder, folder)])
        depression_vr.robustness.main()
    return folder


@pytest.fixture
def study(command: RunCommand, run: Run) -> Study:
    """Makes a small study of the run in a named folder."""

    def make(folder: object, *overrides: str, given: object = run.folder) -> Outcome:
        return command("robustness", *study_of(given, folder), *overrides)

    return make


def key_of(run: Run, name: str = "tiny") -> str:
    """The folder of its predictions."""
    return f"{name}_{hashlib.sha256(run.best_checkpoint.read_bytes()).hexdigest()[:8]}"


def changed_copy(run: Run, folder: Path, factor: float, **settings: str) -> Run:
    """A copy with other weights, all times the factor, and other settings."""
    shutil.copytree(run.folder, folder)
    copy = Run(folder)
    checkpoint = torch.load(copy.best_checkpoint, weights_only=True)
    state = checkpoint["state_dict"]
    for weights in (key for key in state if key.endswith("weight")):
        state[weights] *= factor
    torch.save(checkpoint, copy.best_checkpoint)
    OmegaConf.save(OmegaConf.merge(run.config(), settings), copy.config_file)
    return copy


def assert_as_evaluated(file: Path, run: Run) -> None:
    """The estimates are those of the run's own evaluation, to the last bit."""
    expected = pd.read_csv(run.predictions_file, dtype={"subject": str, "recording": str})
    estimates = read_predictions(file)
    assert estimates["video_id"].tolist() == expected["video_id"].tolist()
    assert estimates["estimate"].tolist() == expected["estimate"].tolist()


def legend_of(figure: Figure) -> list[str]:
    """What the legend names."""
    (legend,) = (axes.get_legend() for axes in figure.axes if axes.get_legend() is not None)
    return [text.get_text() for text in legend.get_texts()]


def table_of(folder: Path) -> pd.DataFrame:
    """What a study measured, as text."""
    return pd.read_csv(folder / "robustness.csv", dtype=str, keep_default_na=False)


def prediction_files(folder: Path) -> dict[str, bytes]:
    """All files of predictions by their place in the folder."""
    below = folder / "predictions"
    return {file.relative_to(below).as_posix(): file.read_bytes() for file in sorted(below.rglob("*.csv"))}


def test_a_study_has_a_row_per_level_and_the_clean_one_is_what_evaluation_gives(
    finished: Path, run: Run
) -> None:
    table = table_of(finished)
    assert list(zip(table["degradation"], table["level"].str.removesuffix(".0"), strict=True)) == ROWS
    assert table["run"].unique().tolist() == ["tiny"]
    evaluated = run.metrics()["videos"]
    clean = table.iloc[0]
    measured = [float(clean[name]) for name in ("n", "mae", "rmse", "ccc")]
    assert measured == [evaluated[name] for name in ("n", "mae", "rmse", "ccc")]
    assert float(clean["mae_change"]) == 0
    assert (table["mae"][1:] != clean["mae"]).all()
    assert table["predictions"][0] == f"predictions/{key_of(run)}/none.csv"
    assert_as_evaluated(finished / table["predictions"][0], run)


def test_a_row_is_measured_on_the_predictions_beside_it(finished: Path) -> None:
    clean_row, noisy = (table_of(finished).iloc[row] for row in (0, 2))
    videos, clean = (read_predictions(finished / row["predictions"]) for row in (noisy, clean_row))
    errors, before = ((table["estimate"] - table["label"]).abs() for table in (videos, clean))
    assert len(videos) == int(noisy["n"]) == 6
    assert float(noisy["mae"]) == pytest.approx(errors.mean())
    assert float(noisy["mae_change"]) == pytest.approx((errors - before).mean())
    assert float(noisy["mae_low"]) < float(noisy["mae"]) < float(noisy["mae_high"])
    assert "grey levels" in noisy["unit"]
    assert (videos["note"] == NO_DIAGNOSIS).all()


def test_the_same_study_leaves_the_same_bytes(study: Study, finished: Path) -> None:
    assert study("again").code == 0
    for name in ("robustness.csv", "robustness.png", "robustness.pdf"):
        assert Path("again", name).read_bytes() == (finished / name).read_bytes(), name
    assert prediction_files(Path("again")) == prediction_files(finished)


def test_workers_change_nothing(study: Study, finished: Path) -> None:
    assert study("a", "degradations=noise", "levels.noise=64", "data.num_workers=2").code == 0
    assert prediction_files(Path("a")).items() < prediction_files(finished).items()


def test_another_seed_gives_other_noise_on_the_same_clean_frames(
    study: Study, finished: Path, run: Run
) -> None:
    key = key_of(run)
    assert study("a", "degradations=noise", "levels.noise=64", "seed=1").code == 0
    first, other = prediction_files(finished), prediction_files(Path("a"))
    assert other[f"{key}/none.csv"] == first[f"{key}/none.csv"]
    assert other[f"{key}/noise_64.csv"] != first[f"{key}/noise_64.csv"]


def test_a_study_goes_on_with_what_is_not_there_and_keeps_the_rest(
    study: Study, finished: Path, run: Run
) -> None:
    key = key_of(run)
    shutil.copytree(finished, "a")
    folder = Path("a/predictions") / key
    (folder / "noise_4.csv").unlink()
    kept = folder / "noise_64.csv"
    read_predictions(kept).assign(estimate=1.25).to_csv(kept, index=False)
    assert study("a", "levels.noise=[4,64,128]").code == 0
    assert (folder / "noise_4.csv").read_bytes() == prediction_files(finished)[f"{key}/noise_4.csv"]
    assert (read_predictions(kept)["estimate"] == 1.25).all()
    table = table_of(Path("a"))
    assert table["level"].tolist() == ["", "4.0", "64.0", "128.0", "4.0"]
    assert table["mae"][1] == table_of(finished)["mae"][1]
    assert table["mae"][2] != table_of(finished)["mae"][2]


@pytest.mark.parametrize(
    ("changed", "told"),
    [("seed=1", "seed was 0"), ("face=[[0.3,0.3],[0.6,0.3],[0.5,0.6]]", "face was [[0.365")],
)
def test_a_folder_of_other_settings_is_refused_and_stays_as_it_is(
    study: Study, finished: Path, changed: str, told: str
) -> None:
    shutil.copytree(finished, "a")
    outcome = study("a", changed, "levels.noise=[4,32]")
    assert outcome.code == 2
    assert "what is there was made otherwise" in outcome.err
    assert told in outcome.err
    assert prediction_files(Path("a")) == prediction_files(finished)
    for name in ("robustness.csv", "robustness.json"):
        assert Path("a", name).read_bytes() == (finished / name).read_bytes()


def test_a_study_goes_on_with_the_same_frames_anywhere_and_with_no_others(
    study: Study, finished: Path, run: Run, tmp_path: Path
) -> None:
    shutil.copytree(Path(run.config().data.table).parent, tmp_path / "moved")
    moved = f"+data.table={tmp_path / 'moved' / 'videos.csv'}"
    shutil.copytree(finished, "a")
    of_training, of_test = (tmp_path / "moved" / name / "001.png" for name in ("video0", "video9"))
    Image.new("RGB", (16, 16)).save(of_training)  # of which no row is made
    assert study("a", moved).code == 0
    Image.new("RGB", (16, 16)).save(of_test)
    outcome = study("a", moved)
    assert outcome.code == 2
    assert "pixels of the frames was" in outcome.err
    assert prediction_files(Path("a")) == prediction_files(finished)


def test_a_study_does_not_go_on_by_other_code(study: Study, finished: Path, run: Run) -> None:
    shutil.copytree(finished, "a")
    file = Path("a/robustness.json")
    facts = json.loads(file.read_text())
    facts["runs"][key_of(run)]["settings"] |= {"code": "of before", "torch": "2.0"}
    file.write_text(json.dumps(facts))
    outcome = study("a")
    assert outcome.code == 2
    assert "code was of before" in outcome.err
    assert "torch was 2.0" in outcome.err
    assert prediction_files(Path("a")) == prediction_files(finished)


def test_a_run_more_keeps_what_is_finished_even_if_it_has_the_same_name(
    study: Study, finished: Path, run: Run, tmp_path: Path
) -> None:
    again = changed_copy(run, tmp_path / "runs" / "again", 0.5)
    slashed = changed_copy(run, tmp_path / "runs" / "slashed", 0.25, name="../Tiny")
    shutil.copytree(finished, "a")
    kept = Path("a/predictions") / key_of(run) / "noise_4.csv"
    read_predictions(kept).assign(estimate=1.25).to_csv(kept, index=False)
    few = ("degradations=noise", "levels.noise=4")
    outcome = study("a", *few, given=f"[{tmp_path / 'runs'},{run.folder}]")
    assert outcome.code == 0, outcome.err
    assert (read_predictions(kept)["estimate"] == 1.25).all()
    table = table_of(Path("a"))
    keys = [key_of(again), key_of(slashed, "_tiny"), key_of(run)]
    assert [place.split("/")[1] for place in table["predictions"]] == [key for key in keys for _ in range(2)]
    first = f"tiny ({run.folder.parent.name}/{run.folder.name})"
    assert table["run"].unique().tolist() == ["tiny (runs/again)", "../Tiny", first]
    assert table["mae"][::2].nunique() == 3
    assert {*json.loads(Path("a/robustness.json").read_text())["runs"]} == {*keys}


def test_a_copy_shares_the_predictions(study: Study, finished: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "runs" / "copy")
    shutil.copytree(finished, "a")
    assert study("a", given=f"[{run.folder},{tmp_path / 'runs'}]").code == 0
    assert prediction_files(Path("a")) == prediction_files(finished)
    assert table_of(Path("a"))["run"].nunique() == 2


def test_predictions_that_nobody_knows_about_are_refused(study: Study, finished: Path) -> None:
    shutil.copytree(finished, "a")
    Path("a/robustness.json").unlink()
    outcome = study("a", "seed=5")
    assert outcome.code == 2
    assert "does not say what they were made with" in outcome.err
    assert not Path("a/robustness.json").exists()
    assert prediction_files(Path("a")) == prediction_files(finished)


@pytest.mark.parametrize("content", ["", '{"runs": []}', '{"runs": {"KEY": {}}}'])
def test_damaged_facts_end_with_one_message(study: Study, finished: Path, run: Run, content: str) -> None:
    shutil.copytree(finished, "a")
    Path("a/robustness.json").write_text(content.replace("KEY", key_of(run)))
    outcome = study("a")
    assert outcome.code == 2
    assert "robustness.json" in outcome.err and "damaged" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_damaged_file_of_predictions_is_named(study: Study, finished: Path, run: Run) -> None:
    shutil.copytree(finished, "a")
    file = Path("a/predictions", key_of(run), "noise_4.csv")
    without_estimates = read_predictions(file).assign(estimate="").to_csv()
    for content in ("", "video_id,label\nvideo6,3\n"):
        file.write_text(content)
        with pytest.raises(UserError, match="damaged") as refused:
            read_predictions(file)
        assert refused.value.where == str(file)
    file.write_text(without_estimates)
    outcome = study("a")
    assert outcome.code == 2
    assert str(file) in outcome.err
    assert "Traceback" not in outcome.err


def test_estimates_that_are_no_numbers_are_not_written(study: Study, run: Run, tmp_path: Path) -> None:
    broken = changed_copy(run, tmp_path / "broken", float("nan"))
    outcome = study("a", given=broken.folder)
    assert outcome.code == 2
    assert "no finite estimate of 6 videos, such as video6" in outcome.err
    assert f"run {broken.folder}, none" in outcome.err
    assert not prediction_files(Path("a"))


def test_of_several_runs_the_one_that_does_not_open_is_named(study: Study, run: Run, tmp_path: Path) -> None:
    broken = Run(tmp_path / "broken")
    shutil.copytree(run.folder, broken.folder)
    broken.best_checkpoint.write_bytes(b"no checkpoint")
    outcome = study("a", given=f"[{run.folder},{broken.folder}]")
    assert outcome.code == 2
    assert f"run {broken.folder}: " in outcome.err


def test_imported_weights_are_studied_with_a_corpus_and_left_out_without(
    study: Study, finished: Path, run: Run, tmp_path: Path, command: RunCommand
) -> None:
    imported = Run(tmp_path / "runs/imported")
    small = ("model.base_planes=2", "model.layers=[1,1,1,1]", "data.clip_length=8", "data.frame_step=1")
    arguments = ("model=sta_drn", *small, "data.size=16", f"ckpt={run.best_checkpoint}")
    outcome = command("import_weights", *arguments, f"out={imported.folder}")
    assert outcome.code == 0, outcome.err
    shutil.copytree(run.folder, tmp_path / "runs" / "run")
    few = ("degradations=noise", "levels.noise=4")
    outcome = study("a", *few, given=tmp_path / "runs")
    assert outcome.code == 0, outcome.err
    assert table_of(Path("a"))["run"].unique().tolist() == ["tiny"]
    corpus = ("data=csv", f"data.table={run.config().data.table}", "data.evaluation_batch_size=4")
    outcome = study("b", *few, *corpus, "data.num_workers=0", given=tmp_path / "runs")
    assert outcome.code == 0, outcome.err
    of_imported = table_of(Path("b"))[lambda table: table["run"] == "sta_drn_imported"]
    assert len(of_imported) == 2
    assert_as_evaluated(Path("b", of_imported["predictions"].iloc[0]), run)


def test_half_precision_is_that_of_an_evaluation(study: Study, run: Run, command: RunCommand) -> None:
    half = "precision=bf16-mixed"
    arguments = (f"run={run.folder}", "trainer=cpu", half, "hydra.run.dir=half")
    assert command("evaluate", *arguments).code == 0
    assert study("a", "degradations=noise", "levels.noise=4", half).code == 0
    clean = Path("a/predictions", key_of(run), "none.csv")
    assert_as_evaluated(clean, Run(Path("half")))
    own = pd.read_csv(run.predictions_file)["estimate"]
    assert (read_predictions(clean)["estimate"] != own).any()


def test_several_views_steps_of_two_frames_and_a_lost_frame(
    study: Study, command: RunCommand, tmp_path: Path
) -> None:
    table = write_corpus(tmp_path / "corpus")
    (table.parent / "video8" / "004.png").write_bytes(b"no picture")
    outcome = command(
        "train", "model=plegdf_fglscf", "model.base_planes=2", "model.layers=[1,1,1,1]", "data=csv",
        f"data.table={table}", "logger=none", "trainer=cpu", "trainer.max_epochs=1", "data.clip_length=4",
        "data.frame_step=2", "data.size=32", "data.num_workers=0", "data.on_bad_frame=skip",
        "hydra.run.dir=run",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    few = ("degradations=[mouth,frame_rate]", "levels.mouth=1", "levels.frame_rate=2")
    outcome = study("a", *few, given="run")
    assert outcome.code == 0, outcome.err
    clean, mouth, rate = table_of(Path("a")).to_dict("records")
    assert_as_evaluated(Path("a", clean["predictions"]), Run(Path("run")))
    assert len({row["mae"] for row in (clean, mouth, rate)}) == 3
    videos = read_predictions(Path("a", clean["predictions"])).set_index("video_id")
    counts = videos["substituted_frames"]
    assert counts["video8"] > 0
    assert int(clean["substituted_frames"]) == counts.sum() == counts["video8"]
    assert "unreadable frames" in outcome.out


def test_runs_that_are_tested_on_different_videos_are_refused(study: Study, run: Run, tmp_path: Path) -> None:
    config = run.config()
    table = Path(config.data.table)
    other = table.with_name("other.csv")
    other.write_text(table.read_text().replace("video11,15", "video11,16"))
    shutil.copytree(run.folder, tmp_path / "other")
    config.data.table = str(other)
    OmegaConf.save(config, tmp_path / "other" / "config.yaml")
    outcome = study("a", given=f"[{run.folder},{tmp_path / 'other'}]")
    assert outcome.code == 2
    assert "video11: 16.0, not 15.0" in outcome.err
    assert not Path("a/robustness.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["degradations=[fog]"], "there is no degradation fog"),
        (["levels.noise=[0]"], "noise has no level 0"),
        (["levels.blur=4", "degradations=blur"], "odd kernels"),
        (["levels.fog=[1]"], "fog"),
        (["levels.noise=loud"], "levels.noise"),
        (["run=nowhere"], "there is no such folder"),
        (["run=."], "there is no trained run"),
        (["resamples=3"], "resamples"),
        (["face=[[0.1,0.1],[0.2,0.1],[0.3,0.1]]"], "they lie on one line"),
    ],
)
def test_what_is_wrong_ends_with_one_message_before_anything_is_scored(
    study: Study, arguments: list[str], told: str
) -> None:
    outcome = study("a", *arguments)
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("a/robustness.json").exists()


def test_a_study_is_not_written_into_a_run(study: Study, run: Run) -> None:
    outcome = study(str(run.folder))
    assert outcome.code == 2
    assert "into a run directory" in outcome.err
    assert not (run.folder / "robustness.json").exists()


def test_the_figure_has_a_panel_per_degradation_and_a_line_per_run() -> None:
    rows = [
        {"run": run, "degradation": name, "level": level, "mae": mae + worse, "mae_low": 4.0, "mae_high": 20}
        for run, worse in (("first", 0.0), ("second", 1.0))
        for name, level, mae in (
            ("none", None, 5.0), ("brightness", 0.5, 7.0), ("brightness", 2.0, 9.0), ("jpeg", 90.0, 5.5),
            ("jpeg", 10.0, 6.0),
        )
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    figure = draw_study(table, {"first": 10.0, "second": 10.0})
    brightness, jpeg = (axes for axes in figure.axes if axes.get_title())
    assert brightness.get_xlabel() == "factor"
    assert brightness.get_ylabel() == "MAE, points"
    assert brightness.get_ylim()[0] == 0 and jpeg.get_ylim()[1] > 10  # the mean predictor is in sight
    assert "95% interval over subjects" in legend_of(figure)
    assert [label.get_text() for label in brightness.get_xticklabels()] == ["0.5", "1", "2"]
    assert [label.get_text() for label in jpeg.get_xticklabels()] == ["none", "90", "10"]
    drawn = [np.asarray(line.get_ydata(), float).tolist() for line in brightness.get_lines()]
    for expected in ([7, 5, 9], [8, 6, 10], [5, 5], [6, 6], [10, 10]):  # curves, clean, mean predictor
        assert expected in drawn
    without = draw_study(table.assign(mae_low=np.nan, mae_high=np.nan), {"first": 10.0, "second": 8.0})
    assert legend_of(without) == ["first", "second", "frames as they are", "mean predictor"]
    colours = {line.get_ydata()[0]: line.get_color() for line in without.axes[0].get_lines()}
    assert colours[10] != colours[8]


@pytest.mark.slow
def test_an_interrupted_study_goes_on(run: Run, tmp_path: Path, study: Study, finished: Path) -> None:
    arguments = ["trainer=cpu", "hydra.run.dir=b", f"run={run.folder}"]
    many = f"levels.noise=[{','.join(map(str, range(1, 200)))}]"
    process = subprocess.Popen(
        [sys.executable, "-m", "depression_vr.robustness", *arguments, "degradations=noise", many],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        text=True,
    )
    key = key_of(run)
    while not (tmp_path / "b/predictions" / key / "noise_1.csv").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert f"hydra.run.dir='{tmp_path / 'b'}'" in err
    scored = prediction_files(tmp_path / "b")
    assert 2 <= len(scored) < 200
    assert study("b", "degradations=noise").code == 0
    assert {**scored, **prediction_files(Path("b"))} == prediction_files(Path("b"))
    assert (
        prediction_files(finished)[f"{key}/noise_64.csv"]
        == prediction_files(Path("b"))[f"{key}/noise_64.csv"]
    )
