"""Whole ways through the system, as separate processes: what only shows there."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import ReleaseState, WriteVideo
from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.run import Run
from films import write_film
from photograph import picture, placed

pytestmark = pytest.mark.slow

README = Path(__file__).parents[1] / "README.md"
TINY = ("model.base_planes=2", "model.layers=[1,1,1,1]", "trainer=cpu", "data.size=32", "data.clip_length=8")


def arguments(command: str, *overrides: str) -> list[str]:
    return [sys.executable, "-m", f"depression_vr.{command}", *overrides]


def peak_memory(command: list[str], folder: Path) -> int:
    """Largest resident size of a process in KiB."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


def test_a_video_ten_times_longer_takes_the_same_memory(tmp_path: Path, write_video: WriteVideo) -> None:
    torch.save(StaDrn(base_planes=2, layers=(1, 1, 1, 1)).state_dict(), tmp_path / "best.pth")
    peaks = []
    for frames in (600, 6000):
        write_video(tmp_path / f"{frames}", 1)
        first = tmp_path / f"{frames}" / "frame_000000.jpg"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)).save(first)
        for frame in range(1, frames):
            os.link(first, first.with_name(f"frame_{frame:06d}.jpg"))
        table = tmp_path / f"{frames}.csv"
        table.write_text(f"path,label,partition\n{frames},20,test\n")
        settings = ("ckpt=best.pth", "data=csv", f"data.table={table}", *TINY, "data.num_workers=0")
        peaks.append(peak_memory(arguments("evaluate", *settings, "data.size=96"), tmp_path))
    assert peaks[1] < 1.1 * peaks[0]


def test_the_faces_of_a_video_ten_times_longer_take_the_same_memory(tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="the extra [dlib] is not installed")
    peaks = []
    for frames in (90, 900):
        still = picture([placed(1.0, 0, (160, 120))], 320, 240)
        film = write_film(tmp_path / f"{frames}.mp4", (still for _ in range(frames)))
        settings = ("faces=dlib", f"input={film}", f"out=faces{frames}", "crops.size=48", "workers=1")
        peaks.append(peak_memory(arguments("preprocess", *settings), tmp_path))
    assert peaks[1] < 1.1 * peaks[0]


def test_raw_videos_go_through_the_readmes_three_commands_to_test_metrics(tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="the extra [dlib] is not installed")
    block = re.search(r"in three commands:\s+```\n(.+?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    small = {
        "synthesize": ("recordings={training: 2, development: 1, test: 1}", "seconds=1"),
        "preprocess": ("crops.size=96",),
        "train": (*TINY, "trainer.max_epochs=1", "logger=csv", "hydra.run.dir=run"),
    }
    commands = [shlex.split(line)[2:] for line in block[1].splitlines()]
    assert [module for module, *_ in commands] == [f"depression_vr.{command}" for command in small]
    for (_, *given), (command, more) in zip(commands, small.items(), strict=True):
        subprocess.run(arguments(command, *given, *more), cwd=tmp_path, check=True)
    run = Run(tmp_path / "run")
    assert run.record()["dataset"]["videos"] == {"training": 4, "development": 2, "test": 2}
    assert run.record()["dataset"]["frames"] == 8 * 30
    assert set(run.metrics()["tasks"]) == {"Freeform", "Northwind"}


def test_a_published_checkpoint_of_full_size_is_evaluated(
    tmp_path: Path, csv_corpus: Path, release_state: ReleaseState
) -> None:
    state = {f"module.{key}": tensor for key, tensor in release_state("sta_fused").items()}
    torch.save(state, tmp_path / "best.pth")
    settings = ("model=sta_drn", "ckpt=best.pth", "data=csv", f"data.table={csv_corpus}", "trainer=cpu")
    small = ("data.clip_length=8", "data.size=32", "hydra.run.dir=run")
    subprocess.run(arguments("evaluate", *settings, *small), cwd=tmp_path, check=True)
    assert len(Run(tmp_path / "run").predictions()) == 4


def test_an_interrupted_run_says_so_in_its_record(tmp_path: Path, csv_corpus: Path) -> None:
    settings = ("data=csv", f"data.table={csv_corpus}", *TINY, "trainer.max_epochs=10000", "logger=csv")
    run = Run(tmp_path / "run")
    with subprocess.Popen(arguments("train", *settings, "hydra.run.dir=run"), cwd=tmp_path) as process:
        while not (run.checkpoints / "last.ckpt").exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
    assert process.returncode != 0
    assert run.record()["status"] == "interrupted"
    assert not run.metrics_file.exists()


def test_the_default_logger_asks_nothing_and_stays_offline(tmp_path: Path, csv_corpus: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    settings = ("data=csv", f"data.table={csv_corpus}", *TINY, "trainer.max_epochs=1", "hydra.run.dir=run")
    subprocess.run(
        arguments("train", *settings), cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, check=True
    )
    (logged,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    assert b"development/mae" in logged.read_bytes()
    assert csv_corpus.name.encode() not in logged.read_bytes()
