"""What the runner takes, repeats, removes and leaves alone; no training is started here."""

import fcntl
import json
from pathlib import Path

import pytest

from depression_vr.errors import UserError
from depression_vr.experiments import measuring
from depression_vr.experiments.jobs import Job, missing_jobs, refuse_other_settings
from depression_vr.experiments.measuring import can_go_on, measured
from depression_vr.experiments.recipes import Recipe
from depression_vr.experiments.results import Measurement
from depression_vr.experiments.runner import run_all
from depression_vr.runs.provenance import CodeState
from own_recipes import measurement, recipe_of, write_recipe, write_run


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_recipe(tmp_path, "tiny")
    return recipe_of(tmp_path, "tiny")


def test_a_finished_run_is_taken_as_it_is(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(recipe, 3, tmp_path / "out")
    write_run(job.run.folder, recipe, 3)
    added: list[Measurement] = []
    assert run_all([job], added.append, workers=1) == []
    (row,) = added
    assert (row.recipe, row.seed, row.mae, row.rmse, row.ccc) == ("tiny", 3, 3.25, 4.5, None)
    assert (row.mean_predictor_mae, row.mean_predictor_rmse) == (9.0, 11.0)
    assert row.fingerprint == f"{recipe.settings}-dddddddd"
    assert (row.minutes, row.dirty, row.threads, row.torch) == (3.5, True, 2, "2.9.0")
    assert not job.log.exists()  # nothing was started


@pytest.mark.parametrize(
    ("status", "seed", "overrides"),
    [
        ("running", 0, ()),
        ("failed", 0, ()),
        ("finished", 1, ()),
        ("finished", 0, ("trainer.max_epochs=2",)),
    ],
)
def test_an_unfinished_run_or_one_of_other_settings_is_not_taken(
    tmp_path: Path, recipe: Recipe, status: str, seed: int, overrides: tuple[str, ...]
) -> None:
    job = Job(recipe, 0, tmp_path / "out")
    write_run(job.run.folder, recipe, seed, status, *overrides)
    assert measured(job) is None


def test_a_run_that_another_process_has_finished_meanwhile_is_taken(tmp_path: Path, recipe: Recipe) -> None:
    waiting, finished = (Job(recipe, seed, tmp_path / "out") for seed in (0, 1))
    write_run(waiting.run.folder, recipe, 0, "running")
    write_run(finished.run.folder, recipe, 1)
    waiting.log.write_text("Epoch 3\n")
    added: list[Measurement] = []

    def add(measurement: Measurement) -> None:
        if measurement.seed == 1:  # after the other job was found unfinished
            record = waiting.run.record() | {"status": "finished"}
            waiting.run.record_file.write_text(json.dumps(record))
        added.append(measurement)

    assert run_all([waiting, finished], add, workers=1) == []
    assert [row.seed for row in added] == [1, 0]
    assert added[1].mae == 3.25
    assert waiting.log.read_text() == "Epoch 3\n"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("metrics.json", '{"videos": {"mae": 3.25,'),
        ("metrics.json", "{}"),
        ("metrics.json", '{"videos": null, "references": {"mean_predictor": {"mae": 9.0, "rmse": 11.0}}}'),
        (
            "metrics.json",
            '{"videos": {"mae": null, "rmse": null, "ccc": null}, '
            '"references": {"mean_predictor": {"mae": 9.0, "rmse": 11.0}}}',
        ),
        ("record.json", "{"),
        ("config.yaml", "seed: 0\ndata: ${nothing}\n"),
    ],
)
def test_a_damaged_run_is_reported_and_the_others_are_taken(
    tmp_path: Path, recipe: Recipe, file: str, content: str
) -> None:
    damaged, good = (Job(recipe, seed, tmp_path / "out") for seed in (0, 1))
    for job in (damaged, good):
        write_run(job.run.folder, recipe, job.seed)
    (damaged.run.folder / file).write_text(content)
    added: list[Measurement] = []
    (problem,) = run_all([damaged, good], added.append, workers=1)
    assert problem.where == "tiny seed 0"
    assert str(damaged.run.folder) in problem.what
    assert [row.seed for row in added] == [1]
    assert (damaged.run.folder / file).read_text() == content


def test_a_file_in_the_place_of_a_recipes_folder_stops_only_its_jobs(tmp_path: Path, recipe: Recipe) -> None:
    write_recipe(tmp_path, "other")
    blocked, good = (Job(each, 0, tmp_path / "out") for each in (recipe, recipe_of(tmp_path, "other")))
    write_run(good.run.folder, good.recipe, 0)
    blocked.run.folder.parent.touch()
    added: list[Measurement] = []
    (problem,) = run_all([blocked, good], added.append, workers=1)
    assert problem.where == "tiny seed 0"
    assert [row.recipe for row in added] == ["other"]


def test_only_what_has_no_result_with_the_present_settings_is_missing(tmp_path: Path, recipe: Recipe) -> None:
    jobs = [Job(recipe, seed, tmp_path / "out") for seed in (0, 1, 2)]
    stale = measurement(recipe, 1).model_copy(update={"fingerprint": "00000000-dddddddd"})
    assert missing_jobs(jobs, [measurement(recipe, 0), stale]) == jobs[1:]


@pytest.mark.parametrize("link", [False, True])
def test_a_folder_that_is_no_run_directory_is_not_removed(tmp_path: Path, recipe: Recipe, link: bool) -> None:
    job = Job(recipe, 0, tmp_path / "out")
    precious = tmp_path / "thesis" if link else job.run.folder
    precious.mkdir(parents=True)
    (precious / "chapter.txt").write_text("years of work")
    if link:
        job.run.folder.parent.mkdir(parents=True)
        job.run.folder.symlink_to(precious)
    (problem,) = run_all([job], lambda _: None, workers=1)
    assert "no run directory" in problem.what
    assert (precious / "chapter.txt").read_text() == "years of work"


def test_a_run_that_another_process_is_training_is_left_alone(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(recipe, 0, tmp_path / "out")
    write_run(job.run.folder, recipe, 0, "running")
    with job.log.open("w") as log:
        log.write("Epoch 3\n")
        log.flush()
        fcntl.flock(log, fcntl.LOCK_EX)
        (problem,) = run_all([job], lambda _: None, workers=1)
    assert problem.where == "tiny seed 0"
    assert "another process" in problem.what
    assert job.run.record()["status"] == "running"
    assert job.log.read_text() == "Epoch 3\n"


def test_overrides_that_change_no_result_are_taken(recipe: Recipe) -> None:
    refuse_other_settings(
        recipe, ["data.table=/corpora/t.csv", "data.num_workers=2", "trainer.accelerator=cpu"]
    )


@pytest.mark.parametrize(
    ("override", "mentioned"),
    [
        ("trainer.max_epochs=2", "change the settings of tiny"),
        ("model=r3d_18", "change the settings of tiny"),
        ("data.nonsense=1", "data.nonsense"),
        ("data.table", "data.table"),
    ],
)
def test_other_overrides_are_refused(recipe: Recipe, override: str, mentioned: str) -> None:
    with pytest.raises(UserError, match=mentioned) as caught:
        refuse_other_settings(recipe, [override])
    assert caught.value.where.startswith("config key overrides")


@pytest.mark.parametrize(
    "override",
    [
        "seed=9",
        "++seed=9",
        "data.seed=9",
        "run_dir=elsewhere",
        "hydra.run.dir=elsewhere",
        "hydra.mode=MULTIRUN",
        "callbacks.last.dirpath=elsewhere",
        "callbacks.last={dirpath: elsewhere}",
        "trainer.default_root_dir=elsewhere",
        "logger=none",
        "+logger.more={save_dir: elsewhere}",
    ],
)
def test_overrides_of_seed_folder_and_logger_are_refused(recipe: Recipe, override: str) -> None:
    with pytest.raises(UserError, match="is decided here") as caught:
        refuse_other_settings(recipe, ["data.num_workers=2", override])
    assert override in caught.value.what


def test_overrides_cannot_turn_a_run_into_another(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(recipe, 4, tmp_path / "it's, [here]", ("seed=9", "hydra.run.dir=elsewhere", "logger=none"))
    assert job.command[-4:] == [
        "seed=4",
        rf"hydra.run.dir='{tmp_path}/it\'s, [here]/tiny/seed4'",
        "logger=csv",
        "resume=auto",
    ]


@pytest.mark.parametrize(
    ("status", "seed", "checkpoint", "change", "goes_on"),
    [
        ("interrupted", 0, "resume-000000007.ckpt", "", True),
        ("failed", 0, "resume-000000007.ckpt", "", True),
        ("interrupted", 1, "resume-000000007.ckpt", "", False),
        ("interrupted", 0, "last.ckpt", "", False),
        ("interrupted", 0, "resume-000000007.ckpt", "+ another line of code", False),
        ("finished", 0, "resume-000000007.ckpt", "", False),
    ],
)
def test_an_interrupted_run_of_the_job_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: Recipe,
    status: str,
    seed: int,
    checkpoint: str,
    change: str,
    goes_on: bool,
) -> None:
    monkeypatch.setattr(measuring, "code_state", lambda: CodeState("c" * 40, change))
    job = Job(recipe, 0, tmp_path / "out")
    write_run(job.run.folder, recipe, seed, status)
    job.run.diff_file.touch()
    job.run.checkpoints.mkdir()
    (job.run.checkpoints / checkpoint).touch()
    assert can_go_on(job) is goes_on
