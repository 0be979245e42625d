"""Frames that vanish while a training reads them."""

from pathlib import Path

import pytest

from breaking import SMALL, at_step, result, undisturbed
from conftest import RunCommand
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run


@pytest.mark.parametrize(("workers", "on_bad_frame"), [(0, "error"), (1, "error"), (0, "skip")])
def test_the_run_goes_on_when_they_are_back(
    command: RunCommand, csv_corpus: Path, workers: int, on_bad_frame: str
) -> None:
    video = csv_corpus.parent / "302_1_Northwind"
    away = video.with_name("away")
    own = (f"data.table={csv_corpus}", f"data.num_workers={workers}", f"data.on_bad_frame={on_bad_frame}")
    with at_step(2, lambda: video.rename(away)):
        outcome = command("train", *SMALL, *own)
    run = Run(Path("run"))
    newest = resume_files(run.checkpoints)[0]
    assert outcome.code == 2
    assert f"where: {video}" in outcome.err
    assert f"resume='{run.folder.absolute()}', from {newest.name}" in outcome.err
    assert "Traceback" not in outcome.err
    assert run.record()["status"] == "failed"
    assert str(video) in run.record()["error"]
    assert not run.metrics_file.exists()

    away.rename(video)
    outcome = command("train", "resume=run")
    assert outcome.code == 0, outcome.err
    assert result(run) == undisturbed(command, csv_corpus)


def test_what_was_trained_is_kept_when_those_of_the_test_vanish(
    command: RunCommand, csv_corpus: Path
) -> None:
    video = csv_corpus.parent / "306_1_Northwind"
    away = video.with_name("away")
    with at_step(6, lambda: video.rename(away)):
        outcome = command("train", *SMALL, f"data.table={csv_corpus}")
    assert outcome.code == 2
    assert f"where: {video}" in outcome.err
    run = Run(Path("run"))
    assert run.record()["status"] == "failed"
    assert not run.metrics_file.exists()
    assert not run.predictions_file.exists()
    away.rename(video)
    outcome = command("evaluate", "run=run", "partition=development", "hydra.run.dir=development")
    assert outcome.code == 0, outcome.err
