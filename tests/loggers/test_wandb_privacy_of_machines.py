"""What W&B gets of the machine, the program and the repository that a training runs in: nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from people import SMALL, write_people
from syncing import synced

pytestmark = pytest.mark.slow

_GIT = ("git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main")
_REMOTE = "git@ward-seven.example:quimby/letters.git"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*_GIT, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_program_in_a_repository_tells_of_neither(tmp_path: Path) -> None:
    table = write_people(tmp_path / "corpus")
    repository = tmp_path / "wardround"
    repository.mkdir()
    program = repository / "relapse_of_quimby.py"
    program.write_text("from depression_vr.train import main\n\nprint('printed-by-it', flush=True)\nmain()\n")
    git(repository, "init")
    git(repository, "remote", "add", "origin", _REMOTE)
    git(repository, "add", ".")
    git(repository, "commit", "-m", "first")
    commit = git(repository, "rev-parse", "HEAD")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    subprocess.run(
        [sys.executable, program.name, *SMALL, f"data.table={table}", "trainer.max_epochs=1"],
        cwd=repository,
        env=environment | {"WANDB_GIT_REMOTE_URL": f"ssh://{_REMOTE}", "WANDB_GIT_COMMIT": "c0ffee" * 6},
        check=True,
        capture_output=True,
        timeout=120,
    )
    server = synced(repository / "run")
    for asked in server.queries("UpsertBucket"):
        assert {asked[name] for name in ("host", "program", "repo", "commit")} == {None}
    assert not [name for name in server.uploads() if "output.log" in name]
    assert b"printed-by-it" not in server.everything
    assert server.streamed("wandb-events.jsonl")
    assert not [key for row in server.streamed("wandb-events.jsonl") for key in row if "disk" in key]
    for telling in ("ward-seven", "wardround", "relapse", "c0ffee", str(tmp_path)):
        assert telling.encode() not in server.everything
    (files,) = repository.glob("run/wandb/offline-run-*/run-*.wandb")
    for telling in ("ward-seven", "wardround", "relapse", "c0ffee", "printed-by-it"):
        assert telling.encode() not in files.read_bytes()
    for content in (server.everything, files.read_bytes()):
        assert commit.encode() not in content
