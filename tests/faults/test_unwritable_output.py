"""Folders that cannot be written, at the beginning and later: one message, exit code 2."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from breaking import SMALL, at_step
from conftest import RunCommand
from depression_vr.runs.run import Run


def is_one_message(err: str) -> bool:
    return err.startswith("error: ") and len(err.splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("train", ("hydra.run.dir={0}",), "hydra.run.dir"),
        ("train", ("-m", "seed=0,1", "hydra.sweep.dir={0}"), "hydra.sweep.dir"),
        ("evaluate", ("ckpt=best.pth", "hydra.run.dir={0}"), "hydra.run.dir"),
        ("reproduce", ("run=there", "hydra.run.dir={0}"), "hydra.run.dir"),
    ],
)
@pytest.mark.parametrize("folder", ["file/run", "/proc/run"])
def test_a_folder_that_cannot_be_made(
    command: RunCommand, name: str, arguments: tuple[str, ...], key: str, folder: str
) -> None:
    Path("file").touch()
    outcome = command(name, *(argument.format(folder) for argument in arguments))
    assert outcome.code == 2
    assert is_one_message(outcome.err)
    assert f"where: {folder}\n" in outcome.err
    assert f"{key}=FOLDER" in outcome.err
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Makes a folder read-only, for root too."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        subprocess.run(["mount", "--bind", folder, folder], check=True, capture_output=True)
        mounted.append(folder)
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True, capture_output=True)

    probe = tmp_path / "probe"
    probe.mkdir()
    try:
        mount(probe)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting is not allowed here: {error}")
    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_folder_that_is_read_only(command: RunCommand, read_only: Callable[[Path], None]) -> None:
    Path("run").mkdir()
    read_only(Path("run"))
    outcome = command("train", "hydra.run.dir=run")
    assert outcome.code == 2
    assert is_one_message(outcome.err)
    assert "Read-only file system" in outcome.err


def becomes_a_file(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.touch()


@pytest.mark.parametrize(
    ("folder", "overrides"),
    [("checkpoints", ()), ("logs", ("callbacks.resume.every_n_steps=null",))],
)
def test_a_folder_that_becomes_unwritable(
    command: RunCommand, csv_corpus: Path, folder: str, overrides: tuple[str, ...]
) -> None:
    run = Run(Path("run"))
    with at_step(3, lambda: becomes_a_file(run.folder / folder)):
        outcome = command("train", *SMALL, f"data.table={csv_corpus}", *overrides)
    assert outcome.code == 2
    assert "cannot be written" in outcome.err
    assert str(run.folder.absolute() / folder) in outcome.err
    assert "Traceback" not in outcome.err
    assert run.record()["status"] == "failed"
    assert "cannot be written" in run.record()["error"]


def test_a_checkpoint_folder_that_becomes_read_only(
    command: RunCommand, csv_corpus: Path, read_only: Callable[[Path], None]
) -> None:
    run = Run(Path("run"))
    with at_step(3, lambda: read_only(run.checkpoints)):
        outcome = command("train", *SMALL, f"data.table={csv_corpus}")
    assert outcome.code == 2
    assert "Read-only file system" in outcome.err
    assert "resume='" in outcome.err
    assert run.record()["status"] == "failed"


def test_a_record_that_cannot_be_written(command: RunCommand, csv_corpus: Path) -> None:
    run = Run(Path("run"))

    def shadowed() -> None:
        run.record_file.unlink()
        run.record_file.mkdir()
        (run.record_file / "file").touch()

    with at_step(3, shadowed):
        outcome = command("train", *SMALL, f"data.table={csv_corpus}")
    assert outcome.code == 2
    assert f"where: {run.record_file.absolute()}" in outcome.err
    assert "resume='" in outcome.err
    assert "Traceback" not in outcome.err
