"""From the videos of a synthetic corpus to estimates, through all commands."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from conftest import RunCommand

pytest.importorskip("dlib", reason="the extra [dlib] is not installed")
pytestmark = pytest.mark.slow


def test_synthetic_videos_get_the_scores_that_evaluation_gives_their_frames(command: RunCommand) -> None:
    counts = "recordings={training: 2, development: 1, test: 1}"
    assert command("synthesize", "layout=avec2014", "out=raw", counts, "seconds=1", "workers=1").code == 0
    corpus = ("data=avec2014", "data.root=raw")
    faces = ("faces=dlib", "crops.size=64", "fps=15", "workers=1", "report.faces=false")
    assert command("preprocess", *corpus, *faces, "out=faces").code == 0
    frames = (*corpus, "data.image_root=faces", "data.num_workers=0", "trainer=cpu")
    tiny = ("model.base_planes=2", "model.layers=[1,1,1,1]", "data.size=32", "data.clip_length=8")
    trained = command(
        "train", *frames, *tiny, "data.frame_step=1", "logger=none", "trainer.max_epochs=1",
        "hydra.run.dir=run",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert command("evaluate", "run=run", "trainer=cpu", "hydra.run.dir=evaluation").code == 0
    expected = pd.read_csv("evaluation/predictions.csv").set_index("video_id")["estimate"]
    arguments = ("run=run", "input=raw/Testing", "trainer=cpu", "workers=1", "hydra.run.dir=out")
    outcome = command("predict", *arguments)
    assert outcome.code == 0, outcome.err
    content = json.loads(Path("out/predictions.json").read_text())
    assert content["preprocessing"]["settings"] == content["preprocessing"]["training"]
    found = {re.sub(r".*/|_video", "", video["video_id"]): video for video in content["videos"]}
    assert set(found) == set(expected.index)
    for video_id, video in found.items():
        assert video["status"] == "scored", video["reasons"]
        assert video["estimate"]["score"] == pytest.approx(expected[video_id], abs=0.01)
