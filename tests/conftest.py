"""Small corpora on disk that tests make for themselves."""

import csv
import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

RELEASE_KEYS = Path(__file__).parent / "data" / "fixtures" / "sta_drn_upstream_state_dict_keys.tsv"

ReleaseState = Callable[[str], dict[str, Tensor]]
WriteVideo = Callable[[Path, int], Path]


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of the tests' own: digests of their frames are of no use to the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def write_video() -> WriteVideo:
    """Writes a folder of JPEG frames of 20x24 pixels whose content differs from frame to frame."""

    def write(folder: Path, frames: int) -> Path:
        folder.mkdir(parents=True)
        generator = np.random.default_rng(len(folder.name) + frames)
        for frame in range(frames):
            pixels = generator.integers(0, 256, (5, 6, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
            Image.fromarray(pixels).save(folder / f"frame_{frame:06d}.jpg", quality=95)
        return folder

    return write


@pytest.fixture
def csv_corpus(tmp_path: Path, write_video: WriteVideo) -> Path:
    """A table of twelve videos of 5 to 40 frames in three partitions; returns the CSV file."""
    root = tmp_path / "corpus"
    lines = ["path,label,partition,subject,task,recording"]
    lengths = iter([5, 12, 20, 33, 40, 16, 17, 9, 31, 12, 25, 16])
    for partition, first in (("training", 301), ("development", 303), ("test", 305)):
        for subject in (first, first + 1):
            for task in ("Freeform", "Northwind"):
                name = f"{subject}_1_{task}"
                write_video(root / name, next(lengths))
                lines.append(f"{name},{(subject * 7) % 40},{partition},{subject},{task},{subject}_1")
    table = root / "videos.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., Outcome]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunCommand:
    """Runs ``python -m depression_vr.<name> <arguments>`` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: str) -> Outcome:
        module = importlib.import_module(f"depression_vr.{name}")
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        capfd.readouterr()
        before = logging.getLogger().handlers[:]
        try:
            module.main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        logging.getLogger().handlers[:] = before  # Hydra's handlers hold this run's streams and log file
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def release_state() -> ReleaseState:
    """Makes a state dict of full size with the published code's key names and random values."""

    def make(attention: str) -> dict[str, Tensor]:
        with RELEASE_KEYS.open(newline="") as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if row["variant"] == attention]
        generator = torch.Generator().manual_seed(0)
        state = {}
        for row in rows:
            shape = tuple(int(side) for side in row["shape"].strip("()").split(",") if side.strip())
            counts = row["key"].endswith("num_batches_tracked")
            state[row["key"]] = torch.tensor(7) if counts else torch.rand(shape, generator=generator)
        return state

    return make
