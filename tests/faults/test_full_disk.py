"""A disk that is full: what there was before is intact, and the run goes on when there is room."""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from breaking import SMALL, at_step, half_written, result, undisturbed
from conftest import RunCommand
from depression_vr.files import is_whole_archive
from depression_vr.loggers.csv_file import ResumableCSVLogger
from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run


def fill_up(file: Path) -> None:
    """Let the kernel answer that the disk is full to the next that writes this file."""
    file.with_name(f".{file.name}.{os.getpid()}").symlink_to("/dev/full")


@pytest.mark.parametrize(
    "name",
    ["checkpoints/resume-000000004.ckpt", "checkpoints/last.ckpt", "metrics.json"],
)
def test_what_there_was_before_is_intact_and_the_run_goes_on(
    command: RunCommand, csv_corpus: Path, name: str
) -> None:
    small = (*SMALL, f"data.table={csv_corpus}")
    run = Run(Path("run"))
    with at_step(3, lambda: fill_up(run.folder / name)):
        outcome = command("train", *small)
    newest = resume_files(run.checkpoints)[0]
    assert outcome.code == 2
    assert "No space left on device" in outcome.err
    assert str(run.folder / name) in outcome.err
    assert f"resume='{run.folder.absolute()}', from {newest.name}" in outcome.err
    assert "Traceback" not in outcome.err
    record = run.record()
    assert record["status"] == "failed"
    assert "No space left on device" in record["error"]
    assert all(is_whole_archive(file) for file in run.checkpoints.iterdir())
    assert not half_written(run)
    assert not run.metrics_file.exists()

    outcome = command("train", "resume=run")
    assert outcome.code == 0, outcome.err
    assert f"going on from {newest.name}" in outcome.err
    assert result(run) == undisturbed(command, csv_corpus)


def test_an_evaluation_leaves_no_metrics(command: RunCommand, csv_corpus: Path) -> None:
    torch.save(StaDrn(base_planes=2, layers=(1, 1, 1, 1)).state_dict(), "best.pth")
    run = Run(Path("run"))
    run.folder.mkdir()
    fill_up(run.metrics_file)
    own = [setting for setting in SMALL if setting.startswith(("data", "model", "trainer=", "hydra"))]
    outcome = command("evaluate", "ckpt=best.pth", *own, f"data.table={csv_corpus}")
    assert outcome.code == 2
    assert "a file cannot be written: No space left on device" in outcome.err
    assert f"where: {run.metrics_file.absolute()}" in outcome.err
    assert "Traceback" not in outcome.err
    assert run.record()["status"] == "failed"
    assert not run.metrics_file.exists()
    assert not half_written(run)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting a small file system is not allowed here: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            return


def test_a_disk_that_fills_up_in_mid_run(command: RunCommand, csv_corpus: Path, disk: Path) -> None:
    small = (*SMALL, f"data.table={csv_corpus}", f"hydra.run.dir={disk}/run", "trainer.log_every_n_steps=1")
    run = Run(disk / "run")
    with at_step(4, lambda: fill(disk)):
        outcome = command("train", *small, "+logger.csv.flush_logs_every_n_steps=1")
    assert outcome.code == 2
    assert "No space left on device" in outcome.err
    assert "Traceback" not in outcome.err
    assert "Logging error" not in outcome.err
    assert run.record()["status"] == "failed"
    assert "No space left on device" in run.record()["error"]
    assert not half_written(run)
    assert all(is_whole_archive(file) for file in run.checkpoints.iterdir())
    assert len(pd.read_csv(run.curves_file)) > 0
    (disk / "ballast").unlink()
    outcome = command("train", f"resume={run.folder}")
    assert outcome.code == 0, outcome.err
    assert result(run) == undisturbed(command, csv_corpus)


def test_no_half_row_is_left_of_the_curves(tmp_path: Path) -> None:
    logger = ResumableCSVLogger(tmp_path, name="logs", version="")
    logger.log_metrics({"loss": 1.25}, step=0)
    logger.save()
    file = tmp_path / "logs" / "metrics.csv"
    before = file.read_bytes()
    logger.log_metrics({"loss": 2.5}, step=1)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 3, hard))
    try:
        with pytest.raises(OSError, match="too large") as refusal:
            logger.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert refusal.value.filename == str(file)
    assert file.read_bytes() == before
    logger.save()
    assert pd.read_csv(file)["loss"].tolist() == [1.25, 2.5]
