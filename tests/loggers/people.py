"""A corpus whose every name is found again where it should not be, and a machine of somebody's."""

import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SUBJECTS = ("quimby", "okafor", "lindqvist", "takahashi", "moreau", "petrov")
TASKS = ("Freeform", "Northwind")
HOST, USER = "workstation-of-clinic", "drmabuse"

SMALL = (
    "data=csv", "data.batch_size=2", "data.size=16", "data.clip_length=8", "data.num_workers=0",
    "trainer=cpu", "model.base_planes=2", "model.layers=[1,1,1,1]", "trainer.max_epochs=2",
    "trainer.log_every_n_steps=1", "hydra.run.dir=run", "logger=default", "logger.wandb.mode=offline",
)  # fmt: skip


def write_people(root: Path) -> Path:
    """Twelve videos of six subjects in three partitions; returns the table."""
    generator = np.random.default_rng(0)
    lines = ["path,label,partition,subject,task,recording,video_id"]
    for index, subject in enumerate(SUBJECTS):
        partition = ("training", "development", "test")[index // 2]
        for task in TASKS:
            name = f"frames-of-{subject}-{task}"
            (root / name).mkdir(parents=True)
            for frame in range(12):
                pixels = generator.integers(0, 256, (20, 24, 3), np.uint8)
                Image.fromarray(pixels).save(root / name / f"still-{frame:03d}.jpg", quality=95)
            recording = f"{subject}-visit"
            lines.append(
                f"{name},{7 * index + 3},{partition},{subject},{task},{recording},{recording}-{task}"
            )
    table = root / "clinic.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def name_machine(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Give host, user and home names that occur nowhere else."""
    home.mkdir()
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, USER)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
