"""Trainings in processes of their own that are killed at chosen points."""

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from side_by_side import fork_server

KILLED = -signal.SIGKILL
WRITING_A_CHECKPOINT = "depression_vr.learning.checkpoint_files:replacing"


class KillPoint(NamedTuple):
    """The call of a function before which the process kills itself; of a checkpoint, half is written."""

    function: str
    call: int

    def __str__(self) -> str:
        return f"{self.function.rpartition(':')[2]} {self.call}"


def write_corpus(folder: Path) -> Path:
    """Fourteen training videos, four for development and three to test; returns the table."""
    generator = np.random.default_rng(0)
    lines = ["path,label,partition"]
    for partition, videos in (("training", 14), ("development", 4), ("test", 3)):
        for video in range(videos):
            name = f"{partition}{video}"
            (folder / name).mkdir(parents=True)
            for frame in range(int(generator.integers(8, 20))):
                pixels = generator.integers(0, 256, (5, 6, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
                Image.fromarray(pixels).save(folder / name / f"{frame:03d}.jpg")
            lines.append(f"{name},{generator.integers(0, 45)},{partition}")
    table = folder / "videos.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def training(folder: Path, arguments: Sequence[str], kill: KillPoint | None = None) -> BaseProcess:
    """Start ``python -m depression_vr.train`` in a folder; what it prints goes to ``FOLDER/train.out``."""
    process = fork_server().Process(target=_train, args=(folder, list(arguments), kill))
    process.start()
    return process


def trained(folder: Path, arguments: Sequence[str], kill: KillPoint | None = None) -> int | None:
    """The exit code of a training."""
    process = training(folder, arguments, kill)
    process.join()
    return process.exitcode


def _train(folder: Path, arguments: list[str], kill: KillPoint | None) -> None:
    out = os.open(folder / "train.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    multiprocessing.set_start_method("fork", force=True)  # as in a process that no fork server began
    torch.set_num_threads(1)
    if kill is not None:
        _arm(kill)
    sys.argv = ["train", *arguments]
    importlib.import_module("depression_vr.train").main()


def _arm(kill: KillPoint) -> None:
    module, _, name = kill.function.rpartition(":")
    owner = importlib.import_module(module)
    *path, attribute = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, attribute, _killing(getattr(owner, attribute), kill))


def _killing(function: Callable[..., Any], kill: KillPoint) -> Callable[..., Any]:
    calls = 0

    def counted(*arguments: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < kill.call:
            return function(*arguments, **settings)
        if kill == KillPoint(WRITING_A_CHECKPOINT, kill.call):
            return _half_written(function(*arguments, **settings))
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("alive")

    return counted


@contextmanager
def _half_written(whole: AbstractContextManager[IO[bytes]]) -> Iterator["_Half"]:
    with whole as file:
        yield _Half(file)


class _Half:
    """A file whose process is killed when half of what it is given is on the disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def write(self, content: bytes) -> None:
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
