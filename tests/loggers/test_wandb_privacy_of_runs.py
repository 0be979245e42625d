"""What W&B gets of a run, by its own reader: nothing of it names a person, shows one or names the machine."""

import base64
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wandb
from PIL import Image

from conftest import Outcome, RunCommand
from depression_vr.runs.run import Run
from people import HOST, SMALL, SUBJECTS, USER, name_machine, write_people
from syncing import synced
from wandb_server import WandbServer

pytestmark = pytest.mark.slow

PEOPLE = (*SUBJECTS, "-visit", "frames-of-", "clinic", "still-")
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"/9j/4AAQ", b"iVBORw0KGgo")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine of somebody's, on which W&B has not been used; returns the home folder."""
    wandb.teardown()
    for name in ("WANDB_MODE", "WANDB_ERROR_REPORTING", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    name_machine(monkeypatch, tmp_path / "home")
    yield tmp_path / "home"
    wandb.teardown()


@pytest.fixture
def trained(command: RunCommand, tmp_path: Path) -> "Train":
    return Train(command, write_people(tmp_path / "corpus"))


class Train:
    """Trains on the corpus of people."""

    def __init__(self, command: RunCommand, table: Path) -> None:
        self.command = command
        self.table = table

    def __call__(self, *overrides: str) -> Outcome:
        outcome = self.command("train", *SMALL, f"data.table={self.table}", *overrides)
        assert outcome.code == 0, outcome.err
        return outcome


def places(tmp_path: Path) -> list[str]:
    """Paths, and names of host and user."""
    here = [tmp_path, Path.cwd(), Path.home(), Path(sys.prefix), Path(__file__).parents[2]]
    return [*map(str, here), HOST, USER]


def files_of(run: Run) -> bytes:
    """The bytes of W&B's records and of the files that it sends."""
    (folder,) = run.folder.glob("wandb/offline-run-*")
    sent = [*folder.glob("*.wandb"), *(file for file in folder.glob("files/**/*") if file.is_file())]
    names = "\n".join(str(file.relative_to(folder)) for file in sent)
    return names.encode() + b"\n".join(file.read_bytes() for file in sent)


def found(names: list[str] | tuple[str, ...], content: bytes) -> list[str]:
    return [name for name in names if name.encode() in content]


def pictures(content: bytes) -> list[bytes]:
    encoded = re.findall(rb"[A-Za-z0-9+/]{24,}", content)
    hidden = b"\n".join(base64.b64decode(text[: len(text) // 4 * 4]) for text in encoded)
    return [mark for mark in PICTURES if mark in content or mark in hidden]


def table(server: WandbServer, key: str) -> pd.DataFrame:
    (content,) = (body for name, body in server.uploads().items() if f"/{key}_" in name)
    return pd.DataFrame(**json.loads(content))


def test_by_default_no_person_no_picture_and_no_place_is_sent(trained: Train, tmp_path: Path) -> None:
    trained()
    run = Run(Path("run"))
    server = synced(run.folder)
    assert "test/mae" in server.everything.decode(errors="replace")
    for content in (server.everything, files_of(run)):
        assert not found([*PEOPLE, *places(tmp_path)], content)
        assert not pictures(content)
    assert not [name for name in server.uploads() if "metadata" in name or "requirements" in name]
    for asked in server.queries("UpsertBucket"):
        assert {asked[name] for name in ("host", "program", "repo", "commit", "notes")} == {None}


def test_metrics_config_tables_and_plots_are_sent(trained: Train) -> None:
    trained()
    run = Run(Path("run"))
    server = synced(run.folder)
    (began, *_) = server.queries("UpsertBucket")
    assert (began["displayName"], began["groupName"], began["jobType"]) == (
        "sta_drn_csv_seed0",
        "sta_drn_csv",
        "training",
    )
    assert began["tags"] == ["sta_drn", "csv", "dev_selected", "32-true"]
    history = server.streamed("wandb-history.jsonl")
    curve = [row["development/mae"] for row in history if "development/mae" in row]
    logged = pd.read_csv(run.curves_file)["development/mae"].dropna()
    assert curve == pytest.approx(logged.tolist())
    assert [row["_step"] for row in history] == list(range(len(history)))
    assert server.streamed("wandb-events.jsonl")  # processor and memory
    summary = json.loads(server.uploads()["wandb-summary.json"])
    assert summary["development/mae"] == {"min": pytest.approx(min(curve))}
    metrics = run.metrics()
    assert summary["test/mae"] == pytest.approx(metrics["videos"]["mae"], rel=1e-5)
    assert summary["references/mean_predictor/mae"] == metrics["references"]["mean_predictor"]["mae"]
    config = json.loads(server.queries("UpsertBucket")[-1]["config"])
    record = run.record()
    for key, value in {
        "network": "sta_drn",
        "corpus": "csv",
        "seed": 0,
        "experiment": None,
        "fingerprint": record["fingerprint"],
        "dataset_fingerprint": record["dataset"]["fingerprint"],
        "commit": record["git_commit"],
        "model/attention": "sta_fused",
        "optim/optimizer/lr": 1e-3,
    }.items():
        assert config[key]["value"] == value
    assert config["_wandb"]["value"]["visualize"].keys() == {
        "results/scatter",
        "results/error_by_band",
        "results/band_confusion",
        "results/curves",
    }
    predictions = table(server, "predictions").merge(
        pd.read_csv("run/wandb/ids.csv"), left_on="video", right_on="id", validate="one_to_one"
    )
    theirs = run.predictions().merge(predictions, on="video_id", suffixes=("", "_sent"))
    assert len(theirs) == 4
    np.testing.assert_allclose(theirs["estimate"], theirs["estimate_sent"])
    assert (theirs["label"] == theirs["score"]).all()
    assert table(server, "error_by_band_table")["mean absolute error"].max() >= metrics["videos"]["mae"]
    assert table(server, "band_confusion_table")["nPredictions"].sum() == 4
    assert set(table(server, "curves_table")["lineKey"]) == {"training", "development", "best", "last"}


def test_ids_are_sent_when_that_is_wished_for_and_said(trained: Train, tmp_path: Path) -> None:
    outcome = trained("logger.wandb.share_ids=true")
    assert "W&B gets the ids, recordings and subjects" in outcome.err
    run = Run(Path("run"))
    server = synced(run.folder)
    sent = table(server, "predictions")
    assert set(sent["video"]) == set(run.predictions()["video_id"])
    assert set(sent["subject"]) == set(SUBJECTS[-2:])
    assert set(sent["recording"]) == {f"{subject}-visit" for subject in SUBJECTS[-2:]}
    for content in (server.everything, files_of(run)):
        assert not found([*SUBJECTS[:-2], "frames-of-", *places(tmp_path)], content)
        assert not pictures(content)


def test_faces_are_sent_when_that_is_wished_for_and_said(trained: Train, tmp_path: Path) -> None:
    outcome = trained("logger.wandb.share_faces=true", "logger.wandb.faces=3")
    assert "pictures of faces: the middle frame of the 3" in outcome.err
    assert "licences of corpora" in outcome.err
    run = Run(Path("run"))
    server = synced(run.folder)
    sent = [body for name, body in server.uploads().items() if name.startswith("media/images/")]
    videos = run.predictions()
    worst = videos.iloc[(videos["estimate"] - videos["label"]).abs().argsort()[::-1][:3]]
    assert len(sent) == 3
    shown = [np.asarray(Image.open(io.BytesIO(body))).astype(float) for body in sent]
    for video_id in worst["video_id"]:
        subject, _, task = video_id.split("-")
        frame = Image.open(tmp_path / "corpus" / f"frames-of-{subject}-{task}" / "still-006.jpg")
        wanted = np.asarray(frame.resize((16, 16), Image.Resampling.BICUBIC)).astype(float)
        assert min(np.abs(pixels - wanted).mean() for pixels in shown) < 20
    for content in (server.everything, files_of(run)):
        assert not found([*PEOPLE, *places(tmp_path)], content)


def test_checkpoints_and_predictions_are_sent_as_artifacts_of_the_corpus(
    trained: Train, command: RunCommand, tmp_path: Path, machine: Path
) -> None:
    trained("logger.wandb.artifacts=[checkpoints,predictions]")
    Path("run").rename("moved")
    run = Run(Path("moved"))
    server = synced(run.folder)
    made = {
        query["input"]["artifactCollectionName"]: query["input"] for query in server.queries("CreateArtifact")
    }
    assert {name: artifact["artifactTypeName"] for name, artifact in made.items()} == {
        "sta_drn-csv": "model",
        "sta_drn-csv-predictions": "predictions",
        "dataset-csv": "dataset",
    }
    (w_and_b_id,) = (run_id["name"] for run_id in server.queries("UpsertBucket")[:1])
    aliases = {alias["alias"] for alias in made["sta_drn-csv"]["aliases"]}
    assert aliases == {w_and_b_id, f"best-{w_and_b_id}", "latest"}
    record = run.record()
    metadata = json.loads(made["sta_drn-csv"]["metadata"])
    assert metadata["fingerprint"] == record["fingerprint"]
    assert metadata["metrics"]["mae"] == run.metrics()["videos"]["mae"]
    (used,) = server.queries("UseArtifact")
    assert used["input"]["artifactID"] == made["dataset-csv"]["clientID"]
    assert json.loads(made["dataset-csv"]["metadata"])["fingerprint"] == record["dataset"]["fingerprint"]
    uploads = {
        Path(name).name: body for name, body in server.uploads().items() if name.startswith("artifacts/")
    }
    assert uploads.keys() == {"best.ckpt", "predictions.csv", "dataset.json"}
    for content in (server.everything, files_of(run)):
        assert not found([*PEOPLE, *places(tmp_path)], content)
    assert not list(machine.rglob("staging/*"))  # all is in the run directory
    Path("downloaded.ckpt").write_bytes(uploads["best.ckpt"])
    own = [f"data.table={trained.table}", *SMALL[:8], "hydra.run.dir=again"]
    outcome = command("evaluate", "model=sta_drn", "ckpt=downloaded.ckpt", *own)
    assert outcome.code == 0, outcome.err
    assert Run(Path("again")).metrics()["videos"] == run.metrics()["videos"]


def test_an_online_run_tells_no_more(trained: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = WandbServer()
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    trained("logger.wandb.mode=online", "logger.wandb.artifacts=[checkpoints]")
    wandb.teardown()  # W&B would report on itself now
    server.go_away()
    assert not [path for path in server.asked if "otel" in path]
    assert any("results/predictions" in row for row in server.streamed("wandb-history.jsonl"))
    assert not found([*PEOPLE, *places(tmp_path)], server.everything)
    assert not pictures(server.everything)
    for asked in server.queries("UpsertBucket"):
        assert {asked[name] for name in ("host", "program", "repo", "commit")} == {None}
    assert len(server.queries("UseArtifact")) == 1
