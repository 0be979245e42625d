"""A training that is killed at any moment and resumed ends as the one that was not: bit for bit."""

import random
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run
from killing import KILLED, WRITING_A_CHECKPOINT, KillPoint, trained, training, write_corpus

pytestmark = pytest.mark.slow

COMMON = (
    "data=csv", "data.batch_size=2", "data.label_noise=1", "data.size=16", "data.clip_length=8",
    "model.base_planes=2", "model.layers=[1,1,1,1]", "model.dropout=0.2", "trainer=cpu", "logger=csv",
    "trainer.log_every_n_steps=1", "callbacks=early_stopping", "callbacks.throughput=null",
)  # fmt: skip
SETTINGS = {
    # one cycle that steps with every batch, gradients of two batches, a checkpoint after every step
    "accumulation": (
        "data.num_workers=0", "trainer.max_epochs=3", "trainer.accumulate_grad_batches=2",
        "callbacks.resume.every_n_steps=1",
    ),
    # warm restarts that step with every epoch, reading processes, rare checkpoints, an early stop
    "workers": (
        "data.num_workers=1", "optim=sta_drn_paper", "optim.schedule.scheduler.T_0=2", "trainer.max_epochs=8",
        "callbacks.early_stopping.patience=2", "callbacks.resume.every_n_steps=5",
    ),
    # maps of two time steps, whose gradients bfloat16 gets wrong: their layers are in float32 from the start
    "bfloat16": (
        "data.num_workers=0", "trainer.max_epochs=2", "precision=bf16-mixed", "data.clip_length=16",
        "callbacks.resume.every_n_steps=3",
    ),
    # checkpoints between epochs only
    "one_batch": (
        "data.num_workers=0", "data.batch_size=14", "trainer.max_epochs=4", "optim=sta_drn_paper",
        "optim.schedule.scheduler.T_0=2", "callbacks.resume.every_n_steps=1",
    ),
    # a training of so many steps, which Lightning resumes in a way of its own; checkpoints between its epochs
    "max_steps": ("data.num_workers=0", "+trainer.max_steps=18", "callbacks.resume.every_n_steps=7"),
    # an early stop that has to wait, from an epoch before the kill
    "min_epochs": (
        "data.num_workers=0", "trainer.max_epochs=8", "+trainer.min_epochs=6",
        "callbacks.early_stopping.patience=1", "callbacks.resume.every_n_steps=5",
    ),
    # validation in the middle of epochs, an incomplete batch left out
    "validation": (
        "data.num_workers=0", "data.batch_size=3", "data.drop_last=true", "trainer.max_epochs=3",
        "+trainer.val_check_interval=2", "callbacks.resume.every_n_steps=1",
    ),
}  # fmt: skip
VALIDATION = "depression_vr.learning.metrics:VideoMetrics.compute"
RENAMING = "pathlib:Path.replace"
LOGGING = "depression_vr.loggers.csv_file:ResumableCSVLogger.log_metrics"
ADAMW = "torch.optim.adamw:AdamW.step"
ADAM = "torch.optim.adam:Adam.step"
POINTS = [  # and whether there is a checkpoint to go on from
    ("accumulation", KillPoint(ADAMW, 1), False),
    ("accumulation", KillPoint(ADAMW, 4), True),
    ("accumulation", KillPoint(ADAMW, 7), True),
    ("accumulation", KillPoint(WRITING_A_CHECKPOINT, 1), False),
    ("accumulation", KillPoint(WRITING_A_CHECKPOINT, 3), True),
    ("accumulation", KillPoint(WRITING_A_CHECKPOINT, 4), True),
    ("accumulation", KillPoint("os:fsync", 20), True),
    ("accumulation", KillPoint(RENAMING, 20), True),
    ("accumulation", KillPoint(VALIDATION, 2), True),
    ("accumulation", KillPoint(LOGGING, 30), True),
    ("accumulation", KillPoint("depression_vr.runs.results:write_json", 1), True),  # tested, not yet written
    ("workers", KillPoint(ADAM, 9), True),
    ("workers", KillPoint(ADAM, 20), True),
    ("workers", KillPoint(VALIDATION, 3), True),
    ("bfloat16", KillPoint(ADAMW, 5), True),
    ("one_batch", KillPoint(ADAM, 3), True),
    ("one_batch", KillPoint(VALIDATION, 4), True),
    ("max_steps", KillPoint(ADAMW, 11), True),
    ("max_steps", KillPoint(ADAMW, 17), True),  # in an epoch that ends without validation
    ("min_epochs", KillPoint(ADAMW, 28), True),
    ("validation", KillPoint(ADAMW, 7), True),
]
SOAKED = 50


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


class Reference:
    """Trains each of the settings once, undisturbed."""

    def __init__(self, folder: Path, table: Path) -> None:
        self.folder = folder
        self.table = table
        self.seconds: dict[str, float] = {}

    def arguments(self, settings: str, run: str) -> list[str]:
        return [f"data.table={self.table}", *COMMON, *SETTINGS[settings], f"hydra.run.dir={run}"]

    def __call__(self, settings: str) -> Run:
        run = Run(self.folder / settings)
        if settings not in self.seconds:
            began = time.monotonic()
            assert trained(self.folder, self.arguments(settings, settings)) == 0
            self.seconds[settings] = time.monotonic() - began
        return run


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Reference:
    return Reference(tmp_path_factory.mktemp("undisturbed"), table)


def assert_same_end(run: Run, undisturbed: Run) -> None:
    assert run.record()["status"] == "finished"
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (
            torch.load(each.checkpoints / name, weights_only=True)["state_dict"]
            for each in (run, undisturbed)
        )
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(tensor, ours[key]) for key, tensor in theirs.items()), name
    for file in ("logs/metrics.csv", "predictions_windows.csv", "metrics.json"):
        assert (run.folder / file).read_text() == (undisturbed.folder / file).read_text(), file
    assert not list(run.checkpoints.glob(".*"))
    assert not list(run.checkpoints.glob("resume-*"))


def went_on(folder: Path) -> bool:
    """Whether the last training in a folder went on from a checkpoint; asserts that it came to its end."""
    run = Run(folder / "run")
    newest = next((file.name for file in resume_files(run.checkpoints)), None)
    assert trained(folder, ["resume=run"]) == 0, (folder / "train.out").read_text()
    return newest is not None and f"going on from {newest}" in (folder / "train.out").read_text()


@pytest.mark.parametrize(
    ("settings", "kill", "goes_on"), POINTS, ids=lambda value: str(value).replace(" ", "-")
)
def test_a_killed_training_ends_as_the_undisturbed_one(
    settings: str, kill: KillPoint, goes_on: bool, reference: Reference, tmp_path: Path
) -> None:
    undisturbed = reference(settings)
    assert trained(tmp_path, reference.arguments(settings, "run"), kill) == KILLED
    assert went_on(tmp_path) is goes_on
    assert_same_end(Run(tmp_path / "run"), undisturbed)


def test_a_training_that_is_killed_while_it_resumes_ends_as_the_undisturbed_one(
    reference: Reference, tmp_path: Path
) -> None:
    undisturbed = reference("accumulation")
    assert trained(tmp_path, reference.arguments("accumulation", "run"), KillPoint(ADAMW, 6)) == KILLED
    for function in ("pytorch_lightning.loggers.csv_logs:ExperimentWriter.__init__", ADAMW):
        assert trained(tmp_path, ["resume=run"], KillPoint(function, 1)) == KILLED
    assert went_on(tmp_path)
    assert_same_end(Run(tmp_path / "run"), undisturbed)


def test_a_training_that_is_killed_again_and_again_ends_as_the_undisturbed_one(
    reference: Reference, tmp_path: Path
) -> None:
    undisturbed = reference("accumulation")
    again = reference.arguments("accumulation", "run")
    for step in (3, 2, 3):
        kill = KillPoint(ADAMW, step)
        assert trained(tmp_path, again, kill) == KILLED
        again = ["resume=run"]
    assert trained(tmp_path, again) == 0
    assert_same_end(Run(tmp_path / "run"), undisturbed)


def test_the_early_stop_of_the_settings_happens(reference: Reference) -> None:
    rows = pd.read_csv(reference("workers").folder / "logs" / "metrics.csv")
    assert rows["development/mae"].count() < 8


@pytest.mark.soak
def test_trainings_killed_at_random_moments_end_as_the_undisturbed_one(
    reference: Reference, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    for number in range(SOAKED):
        settings = moments.choice(sorted(SETTINGS))
        undisturbed = reference(settings)
        moment = moments.uniform(0.0, reference.seconds[settings])
        folder = tmp_path / str(number)
        folder.mkdir()
        process = training(folder, reference.arguments(settings, "run"))
        process.join(moment)
        process.kill()
        process.join()
        print(f"{number + 1} of {SOAKED}, seed {seed}: {settings}, killed after {moment:.2f} s")
        run = Run(folder / "run")
        if run.config_file.exists():
            expected = bool(resume_files(run.checkpoints)) and not run.is_finished
            assert went_on(folder) is expected
        else:  # not even begun
            assert trained(folder, reference.arguments(settings, "run")) == 0
        assert_same_end(run, undisturbed)
