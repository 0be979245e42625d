"""`explain` leaves pictures, films and numbers of every video, and goes on where it stopped."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from conftest import RunCommand
from depression_vr.runs.bands import NO_DIAGNOSIS
from random_runs import make_run

QUICK = ("trainer=cpu", "steps=2", "data.num_workers=0")
STA = ("model=sta_drn", "model.base_planes=2", "model.layers=[1,1]")
PLEGDF = ("model=plegdf_fglscf", "model.base_planes=2", "model.layers=[1,1,1]", "model.reduction=2")


@pytest.fixture
def made_run(tmp_path: Path, csv_corpus: Path) -> Path:
    """The directory of a run that was never trained."""
    return make_run(tmp_path / "run", csv_corpus, *STA)


def explanation(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "explanation.json").read_text())
    return content


def test_a_video_gets_its_pictures_films_and_numbers(command: RunCommand, made_run: Path) -> None:
    video = "305_1_Freeform"  # of 31 frames: 4 windows
    arguments = (f"run={made_run}", f"video={video}", "hydra.run.dir=out", "windows=2", *QUICK)
    folder = Path("out/videos") / video
    folder.mkdir(parents=True)
    (folder / "relations_sheet.png").touch()  # of a time before, when it was another network
    outcome = command("explain", *arguments)
    assert outcome.code == 0, outcome.err
    methods = ("attention", "grad_cam", "integrated_gradients")
    pictures = [f"{method}_{kind}.png" for method in methods for kind in ("sheet", "curve")]
    films = [f"{method}.mp4" for method in methods]
    named = {*pictures, *films, "scores.png", "attention_by_stage.png", "explanation.json"}
    assert {path.name for path in folder.iterdir()} == named
    for picture in (*pictures, "scores.png", "attention_by_stage.png"):
        assert np.asarray(Image.open(folder / picture)).std() > 1
    content = explanation(folder)
    assert content["note"] == NO_DIAGNOSIS
    assert (content["video_id"], content["label"]) == (video, (305 * 7) % 40)
    assert content["severity_band"] in ("minimal", "mild", "moderate", "severe")
    assert content["substituted_frames"] == 0
    windows = pd.DataFrame(content["windows"])
    assert windows["first_frame"].tolist() == [0, 8, 16, 24]
    assert windows["explained"].tolist() == [True, False, False, True]
    assert content["estimate"] == pytest.approx(windows["estimate"].mean())
    for method in methods:
        found = content["methods"][method]
        assert found["per_frame"]["frame"] == [0, 2, 4, 6, 24, 26, 28, 30]
        assert found["per_frame"]["second"] is None  # nobody knows the frame rate
        with av.open(str(folder / f"{method}.mp4")) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert len(frames) == 8
        assert frames[0].shape[0] >= 192 and frames[0].shape[1] >= 2 * 192
    assert len(content["methods"]["integrated_gradients"]["missed"]) == 2
    temporal = np.array(content["attention"]["temporal"]["stage 1"])
    assert temporal.shape == (2, 2, 4)  # windows, groups, time steps
    np.testing.assert_allclose(temporal.sum(1), 1, atol=1e-4)


def test_two_views_and_relations(command: RunCommand, tmp_path: Path, csv_corpus: Path) -> None:
    run = make_run(tmp_path / "run", csv_corpus, *PLEGDF, "data.read_at=own")
    arguments = (f"run={run}", "video=303_1_Northwind", "hydra.run.dir=out", "windows=1", *QUICK)
    outcome = command("explain", *arguments, "methods=relations", "+data.maximum=64")
    assert outcome.code == 0, outcome.err
    folder = Path("out/videos/303_1_Northwind")
    named = {each.name for each in folder.iterdir()}
    assert {"relations_by_stage.png", "gates.png", "relations_sheet.png"} <= named
    assert explanation(folder)["severity_band"] is None  # of another scale
    attention = explanation(folder)["attention"]
    assert list(attention["relations"]) == ["stage 1", "stage 2", "stage 3"]
    features = 4 * 2 * 4  # the last stage's planes
    assert {name: sum(counts) for name, counts in attention["gates"].items()} == {
        "correlation": features,
        "semantics": features,
    }


@pytest.mark.slow
def test_it_goes_on_where_it_stopped_and_does_again_what_was_made_otherwise(
    command: RunCommand, made_run: Path
) -> None:
    def explain(videos: str, *overrides: str) -> dict[str, int]:
        small = ("methods=attention", "windows=1", "hydra.run.dir=out")
        assert command("explain", f"run={made_run}", f"video={videos}", *small, *QUICK, *overrides).code == 0
        return {path.parent.name: path.stat().st_mtime_ns for path in Path("out").rglob("explanation.json")}

    first = explain("301_1_Freeform")
    second = explain("[305_1_Freeform,301_1_Freeform]")
    assert second.keys() == {"301_1_Freeform", "305_1_Freeform"}
    assert second["301_1_Freeform"] == first["301_1_Freeform"]
    third = explain("301_1_Freeform", "stage=1")
    assert third["301_1_Freeform"] > second["301_1_Freeform"]
    assert third["305_1_Freeform"] == second["305_1_Freeform"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["video=305_1_Freefrom"], ["305_1_Freefrom", "305_1_Freeform"]),
        (["video=305_1_Freeform", "methods=relations"], ["StaDrn", "attention, grad_cam"]),
        (["video=305_1_Freeform", "methods=[]"], ["methods"]),
        (["video=305_1_Freeform", "windows=0"], ["windows", "greater than 0"]),
        (["video=305_1_Freeform", "stage=7"], ["stage=7", "1, 2"]),
        (["n=-1"], ["config key n"]),
        (["partition=validation"], ["validation"]),
    ],
)
def test_wrong_input_is_told_in_one_message(
    command: RunCommand, made_run: Path, arguments: list[str], told: list[str]
) -> None:
    outcome = command("explain", f"run={made_run}", "hydra.run.dir=out", *arguments, *QUICK)
    assert outcome.code == 2
    assert all(each in outcome.err for each in told)
    assert "Traceback" not in outcome.err
    assert not Path("out/videos").exists()
