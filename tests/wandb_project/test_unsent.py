"""Which of the files that W&B has left in run directories are to be sent."""

from pathlib import Path

from depression_vr.wandb_project.unsent import find_unsent
from run_directories import run_directory, wandb_files


def test_offline_files_without_a_marker(tmp_path: Path) -> None:
    old, new, without = (run_directory(tmp_path / name) for name in ("old", "new", "without"))
    wandb_files(old, "offline-run-20260101_000000-aaa", is_sent=True)
    folder = wandb_files(new, "offline-run-20260102_000000-bbb")
    (new / "wandb" / "latest-run").symlink_to(folder.name)
    found = find_unsent([old, new, without], online=False)
    (unsent,) = found.unsent
    assert unsent.run == new
    assert [files.folder for files in unsent.files] == [folder]
    assert found.sent == 1


def test_files_of_one_run_go_together_the_oldest_first(tmp_path: Path) -> None:
    run = run_directory(tmp_path / "run")
    names = ["run-20260101_000000-aaa", "offline-run-20260102_000000-aaa", "run-20260103_000000-aaa"]
    for name in reversed(names):
        wandb_files(run, name)
    (unsent,) = find_unsent([run], online=True).unsent
    assert [files.folder.name for files in unsent.files] == names


def test_what_was_online_is_sent_only_when_asked_for(tmp_path: Path) -> None:
    run = run_directory(tmp_path / "run")
    wandb_files(run, "run-20260101_000000-aaa")
    found = find_unsent([run], online=False)
    assert found.unsent == []
    assert found.online == [run]
    assert [unsent.run for unsent in find_unsent([run], online=True).unsent] == [run]


def test_a_run_that_still_writes_is_left_alone(tmp_path: Path) -> None:
    run = run_directory(tmp_path / "run", status="running")
    wandb_files(run, "offline-run-20260101_000000-aaa")
    found = find_unsent([run], online=True)
    assert found.unsent == []
    assert found.running == [run]
