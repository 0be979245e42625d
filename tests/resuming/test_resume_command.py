"""``train resume=RUN_DIR`` as a user types it: what it takes over, what it refuses, what it leaves behind."""

import errno
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from torch.optim import AdamW

from conftest import RunCommand
from depression_vr.callbacks.resume import ResumeCheckpoint
from depression_vr.errors import UserError
from depression_vr.runs.resume_files import (
    KEY,
    keep_best,
    put_back_best,
    remove_resume_files,
    resume_file,
    resume_files,
)
from depression_vr.runs.run import Run
from killing import KILLED, KillPoint, trained, write_corpus
from syncing import synced

SMALL = (
    "data=csv", "data.batch_size=2", "data.size=16", "data.clip_length=8", "data.num_workers=0",
    "trainer=cpu", "model.base_planes=2", "model.layers=[1,1,1,1]", "trainer.max_epochs=2",
    "trainer.log_every_n_steps=1", "callbacks.throughput=null", "hydra.run.dir=run",
)  # fmt: skip
Interrupt = Callable[..., Run]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def interrupted(command: RunCommand, table: Path, monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Begins a run that gets a signal in an optimizer step; returns the run."""

    def begin(*overrides: str, step: int = 5, by: int = signal.SIGINT, code: int = 130) -> Run:
        steps = 0
        real = AdamW.step

        def signalled(self: AdamW, **settings: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == step:
                os.kill(os.getpid(), by)
            return real(self, **settings)

        with monkeypatch.context() as patched:
            patched.setattr(AdamW, "step", signalled)
            outcome = command("train", *SMALL, f"data.table={table}", "logger=csv", *overrides)
        assert outcome.code == code, outcome.err
        return Run(Path("run").absolute())

    return begin


def weights(run: Run) -> dict[str, torch.Tensor]:
    return torch.load(run.checkpoints / "last.ckpt", weights_only=True)["state_dict"]


def test_an_interrupt_ends_the_step_and_the_run_goes_on_as_if_there_had_been_none(
    interrupted: Interrupt, command: RunCommand, table: Path
) -> None:
    run = interrupted()
    assert [file.name for file in resume_files(run.checkpoints)] == ["resume-000000005.ckpt"]
    assert (run.record()["status"], run.record()["by"]) == ("interrupted", "SIGINT")
    assert not run.metrics_file.exists()
    outcome = command("train", "resume=run")
    assert outcome.code == 0, outcome.err
    assert "going on from resume-000000005.ckpt" in outcome.err
    assert len(run.record()["resumes"]) == 1
    assert run.record()["status"] == "finished"
    logged = pd.read_csv(run.folder / "logs" / "metrics.csv")
    steps = logged.loc[logged["training/loss_step"].notna(), "step"]
    assert steps.tolist() == list(range(14))
    assert (
        command("train", *SMALL, f"data.table={table}", "logger=csv", "hydra.run.dir=undisturbed").code == 0
    )
    theirs = weights(Run(Path("undisturbed")))
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in weights(run).items())


def test_what_a_result_depends_on_stays(interrupted: Interrupt, command: RunCommand) -> None:
    interrupted()
    changes = ("trainer.max_epochs=9", "data.num_workers=1", "seed=3", "data.seed=3")
    outcome = command("train", "resume=run", *changes)
    assert outcome.code == 2
    assert "trainer.max_epochs=9: changes the result" in outcome.err
    assert "\n  seed=3: changes the result" in outcome.err
    assert "data.seed=3: changes the result" in outcome.err
    assert "num_workers" not in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "override", ["model=r3d_18", "data=synthetic", "optim=sta_drn_paper", "no.such.key=1"]
)
def test_a_run_brings_its_own_parts(interrupted: Interrupt, command: RunCommand, override: str) -> None:
    interrupted()
    outcome = command("train", "resume=run", override)
    assert outcome.code == 2
    assert override.rpartition("=")[2] in outcome.err


@pytest.mark.parametrize("key", ["callbacks.resume=null", "callbacks.resume.dirpath=elsewhere"])
def test_what_resuming_needs_stays(interrupted: Interrupt, command: RunCommand, key: str) -> None:
    interrupted()
    outcome = command("train", "resume=run", key)
    assert outcome.code == 2
    assert key.partition("=")[0] in outcome.err


def test_a_corpus_that_has_changed_is_refused(
    interrupted: Interrupt, command: RunCommand, table: Path, tmp_path: Path
) -> None:
    corpus = shutil.copytree(table.parent, tmp_path / "corpus")
    run = interrupted(f"data.table={corpus / 'videos.csv'}")
    record = run.record()
    shutil.copy(corpus / "test0" / "000.jpg", corpus / "training3" / "001.jpg")
    pixels = command("train", "resume=run")
    assert (pixels.code, "the pixels of the frames of the corpus are not those" in pixels.err) == (2, True)
    rows = (corpus / "videos.csv").read_text().splitlines()
    (corpus / "videos.csv").write_text("\n".join([*rows[:-1], "test2,63,test"]) + "\n")
    scores = command("train", "resume=run")
    assert (scores.code, "the videos, scores and frame names of the" in scores.err) == (2, True)
    for fact in ("fingerprint", "dataset", "contents"):
        assert run.record()[fact] == record[fact]


def test_a_run_that_is_under_way_is_left_alone(interrupted: Interrupt, command: RunCommand) -> None:
    run = interrupted()
    other = psutil.Process(os.getppid())
    alive = {"host": platform.node(), "pid": other.pid, "started": other.create_time()}
    run.record_file.write_text(json.dumps(run.record() | {"status": "running", "process": alive}))
    before = run.record_file.read_text()
    outcome = command("train", "resume=run")
    assert outcome.code == 2
    assert f"the run is under way, in process {other.pid}" in outcome.err
    assert run.record_file.read_text() == before


def test_a_run_that_was_killed_before_its_record_was_written_begins_anew(
    interrupted: Interrupt, command: RunCommand
) -> None:
    run = interrupted(step=1, by=signal.SIGTERM, code=75)
    run.record_file.unlink()
    shutil.rmtree(run.checkpoints)
    outcome = command("train", "resume=run")
    assert outcome.code == 0, outcome.err
    assert "begins anew" in outcome.err
    assert run.is_finished


def test_an_interrupt_in_the_last_step_evaluates_nothing(interrupted: Interrupt) -> None:
    run = interrupted(step=14)
    assert run.record()["status"] == "interrupted"
    assert not run.metrics_file.exists()


def test_what_no_result_depends_on_may_change_and_is_listed(
    interrupted: Interrupt, command: RunCommand, table: Path
) -> None:
    run = interrupted()
    moved = shutil.copytree(table.parent, run.folder.parent / "elsewhere")
    outcome = command("train", "resume=run", f"+data.table={moved / 'videos.csv'}", "callbacks.resume.keep=1")
    assert outcome.code == 0, outcome.err
    assert f"changed for the rest of the run: +data.table={moved / 'videos.csv'}" in outcome.err
    assert run.config().data.table == str(moved / "videos.csv")


def test_a_run_of_an_earlier_version_may_go_on_compiled_or_with_tf32(
    interrupted: Interrupt, command: RunCommand
) -> None:
    run = interrupted()
    file = run.folder / "config.yaml"
    config = OmegaConf.load(file)
    del config["compile"], config["tf32"]
    OmegaConf.save(config, file)
    outcome = command("train", "resume=run", "compile=false", "tf32=true")
    assert outcome.code == 0, outcome.err
    assert (run.config().compile, run.config().tf32) == (False, True)


def test_a_run_that_was_moved_goes_on_where_it_is(interrupted: Interrupt, command: RunCommand) -> None:
    run = interrupted(step=10)
    shutil.move(run.folder, "0")
    outcome = command("train", "resume=0")
    assert outcome.code == 0, outcome.err
    assert not run.folder.exists()
    moved = Run(Path("0"))
    assert {file.name for file in moved.checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}
    best = torch.load(moved.checkpoints / "best.ckpt", weights_only=True)
    development = pd.read_csv(moved.folder / "logs" / "metrics.csv")["development/mae"]
    assert best["epoch"] == development.dropna().reset_index(drop=True).idxmin()


def test_a_better_checkpoint_whose_metric_is_logged_no_more_is_put_back(interrupted: Interrupt) -> None:
    """A killed process leaves one behind its newest resume checkpoint. On a GPU it may not come again."""
    run = interrupted("resume=auto", step=10)
    best = run.checkpoints / "best.ckpt"
    before = best.read_bytes()
    best.unlink()
    best.write_bytes(b"better")
    interrupted("resume=auto", step=1)
    assert best.read_bytes() == before
    resumed_from = {f"resume-{step:09d}{kind}.ckpt" for step in (10, 11) for kind in ("", "-best")}
    assert {file.name for file in run.checkpoints.iterdir()} == {"best.ckpt", "last.ckpt", *resumed_from}


def test_a_refused_number_of_processes_leaves_the_best_checkpoint(tmp_path: Path) -> None:
    best = tmp_path / "best.ckpt"
    best.write_bytes(b"good")
    keep_best(resume_file(tmp_path, 3))
    best.unlink()
    best.write_bytes(b"better")
    trainer = pl.Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False)
    with pytest.raises(UserError, match="in 2 processes and cannot go on in 1"):
        ResumeCheckpoint(tmp_path).on_load_checkpoint(
            trainer, pl.LightningModule(), {"global_step": 3, KEY: {"random_states": [{}, {}]}}
        )
    assert best.read_bytes() == b"better"


def test_a_best_checkpoint_whose_resume_checkpoint_was_never_written_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"good")
    for step in (3, 4):
        keep_best(resume_file(tmp_path, step))
    resume_file(tmp_path, 4).touch()
    remove_resume_files(tmp_path, keep=1)
    assert not list(tmp_path.glob("*3-best.ckpt"))
    put_back_best(resume_file(tmp_path, 4))  # what it is already
    kept = {"best.ckpt", "resume-000000004.ckpt", "resume-000000004-best.ckpt"}
    assert {file.name for file in tmp_path.iterdir()} == kept
    remove_resume_files(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["best.ckpt"]


def test_the_best_checkpoint_is_kept_where_a_file_can_have_one_name_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", refused)
    best = tmp_path / "best.ckpt"
    best.write_bytes(b"good")
    keep_best(resume_file(tmp_path, 3))
    best.write_bytes(b"better")
    put_back_best(resume_file(tmp_path, 3))
    assert best.read_bytes() == b"good"


def test_a_finished_run_is_left_as_it_is(command: RunCommand, table: Path) -> None:
    arguments = ("train", *SMALL, f"data.table={table}", "logger=csv", "trainer.max_epochs=1")
    assert command(*arguments).code == 0
    record = Run(Path("run")).record_file.read_text()
    outcome = command("train", "resume=run")
    assert outcome.code == 0
    assert "the run has finished already" in outcome.err
    evaluation = ("evaluate", "run=run", "trainer=cpu", "hydra.run.dir=run")
    for again in (arguments, evaluation):
        outcome = command(*again)
        assert (outcome.code, "holds a finished run, which would be overwritten" in outcome.err) == (2, True)
    assert Run(Path("run")).record_file.read_text() == record
    assert Run(Path("run")).metrics_file.is_file()


def test_an_unfinished_run_is_not_overwritten(
    interrupted: Interrupt, command: RunCommand, table: Path
) -> None:
    run = interrupted()
    before = run.record_file.read_text()
    outcome = command("train", *SMALL, f"data.table={table}", "logger=csv")
    assert outcome.code == 2
    assert "would be overwritten" in outcome.err
    assert f"resume='{run.folder}'" in outcome.err
    assert run.record_file.read_text() == before


def test_resume_auto_begins_goes_on_and_refuses_another_run(
    interrupted: Interrupt, command: RunCommand, table: Path
) -> None:
    run = interrupted("resume=auto")
    other = command("train", *SMALL, f"data.table={table}", "logger=csv", "resume=auto", "seed=1")
    assert other.code == 2
    assert "holds another run" in other.err
    outcome = command("train", *SMALL, f"data.table={table}", "logger=csv", "resume=auto")
    assert outcome.code == 0, outcome.err
    assert "going on from" in outcome.err
    assert run.is_finished


def test_a_folder_without_a_run_is_refused(command: RunCommand, tmp_path: Path) -> None:
    missing = command("train", "resume=nothing_here")
    assert (missing.code, "there is no such run directory" in missing.err) == (2, True)
    assert not (tmp_path / "nothing_here").exists()
    (tmp_path / "empty").mkdir()
    empty = command("train", "resume=empty")
    assert (empty.code, "this is no run directory" in empty.err) == (2, True)


def test_slurm_runs_a_pre_empted_job_again_and_the_same_command_goes_on(
    interrupted: Interrupt, command: RunCommand, table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = {
        "JOB_ID": "77", "JOB_NAME": "train", "NTASKS": "1", "NTASKS_PER_NODE": "1", "NNODES": "1",
        "PROCID": "0", "LOCALID": "0", "NODEID": "0", "NODELIST": "localhost",
    }  # fmt: skip
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/requeued\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    own = [override for override in SMALL if override not in ("trainer=cpu", "hydra.run.dir=run")]
    on_slurm = (
        *own,
        f"data.table={table}",
        "logger=csv",
        "trainer=slurm",
        "trainer.accelerator=cpu",
        "name=sta",
    )
    monkeypatch.setattr("test_resume_command.SMALL", on_slurm)
    interrupted(by=signal.SIGUSR1, code=75)
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"
    run = Run(tmp_path / "outputs" / "sta" / "slurm-77")
    assert run.record()["by"] == "SIGUSR1"
    assert resume_files(run.checkpoints)
    assert not list(tmp_path.glob("**/hpc_ckpt*"))
    assert command("train", *on_slurm).code == 0
    assert run.is_finished


@pytest.mark.slow
def test_wandb_goes_on_with_the_same_run_and_logs_no_step_twice(table: Path, tmp_path: Path) -> None:
    own = ("logger.wandb.mode=offline", "callbacks.resume.every_n_steps=4")
    # in the eighth step, of which the last checkpoint, after the fourth, knows nothing
    kill = KillPoint("torch.optim.adamw:AdamW.step", 8)
    assert trained(tmp_path, [*SMALL, f"data.table={table}", *own], kill) == KILLED
    (of_the_killed,) = tmp_path.glob("run/wandb/offline-run-*")
    known = (tmp_path / "run" / "wandb" / "id.json").read_text()
    train = [sys.executable, "-m", "depression_vr.train", "resume=run"]
    subprocess.run(train, cwd=tmp_path, check=True)
    assert (tmp_path / "run" / "wandb" / "id.json").read_text() == known  # the salt too
    (file,) = tmp_path.glob("run/wandb/offline-run-*/*.wandb")
    assert file.parent != of_the_killed
    assert file.name == f"run-{of_the_killed.name.rpartition('-')[2]}.wandb"
    server = synced(tmp_path / "run")
    rows = server.streamed("wandb-history.jsonl")
    steps = [row["trainer/global_step"] for row in rows if "training/loss_step" in row]
    assert steps == list(range(14))
    assert sum("results/predictions" in row for row in rows) == 1
    (table,) = (body for name, body in server.uploads().items() if "/predictions_" in name)
    sent = pd.DataFrame(**json.loads(table)).set_index("video")["score"]
    names = pd.read_csv(tmp_path / "run" / "wandb" / "ids.csv").set_index("id")["video_id"]
    scores = Run(tmp_path / "run").predictions().set_index("video_id")["label"]
    assert sent.rename(index=names).to_dict() == scores.to_dict()
