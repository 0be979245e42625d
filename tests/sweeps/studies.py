"""Sweeps of trainings that take a second each."""

import os
import subprocess
import sys
from pathlib import Path

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

TINY = (
    "data=csv", "data.batch_size=4", "data.size=16", "data.clip_length=4", "data.frame_step=1",
    "data.num_workers=0",
    "trainer=cpu", "trainer.max_epochs=1", "logger=csv", "record_contents=false", "model.base_planes=2",
    "model.layers=[1,1,1,1]",
)  # fmt: skip
"""Settings of a training that leave three parameters to search."""
SEARCH = ("-m", "hparams_search=sta_drn_optuna", *TINY, "callbacks.median_stopping=null")
SWEEP = Path("multirun/sta_drn_optuna_csv")


def study_in(folder: Path) -> Study:
    """The study that a sweep has left in its folder."""
    return optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'study.db'}")


def trials_in(folder: Path) -> list[FrozenTrial]:
    return study_in(folder).get_trials()


def states(folder: Path) -> list[TrialState]:
    return [trial.state for trial in trials_in(folder)]


def sweep(folder: Path, *arguments: str, terminal: bool = False) -> "subprocess.Popen[bytes]":
    """Start a sweep as its user does, in a folder; what it prints goes to ``FOLDER/sweep.out``.

    With ``terminal``, it leads a process group, as what a shell starts does.
    """
    with (folder / "sweep.out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "depression_vr.train", *arguments],
            cwd=folder,
            stdout=out,
            stderr=out,
            process_group=0 if terminal else None,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def swept(folder: Path, *arguments: str) -> int:
    """The exit code of a sweep."""
    return sweep(folder, *arguments).wait()
