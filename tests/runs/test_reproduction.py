"""A run trained again: identical here, different and named where something was changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from conftest import Outcome, RunCommand
from depression_vr.runs.relocation import relocated
from depression_vr.runs.reproduction.conditions import Conditions, Dataset, differences
from depression_vr.runs.reproduction.results import Results, Verdict, compare_results
from depression_vr.runs.run import Run

SETTINGS = (
    "model.base_planes=2",
    "model.layers=[1,1,1,1]",
    "data.clip_length=8",
    "data.frame_step=1",
    "data.size=16",
    "data.num_workers=0",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=1",
    "logger=csv",
    "++callbacks.throughput._target_=depression_vr.callbacks.throughput.Throughput",
)

Reproduce = Callable[..., Outcome]


@pytest.fixture
def run(command: RunCommand, csv_corpus: Path) -> Run:
    """A tiny STA-DRN, trained on the small table into the folder ``run``."""
    outcome = command(
        "train", "data=csv", f"data.table={csv_corpus}", *SETTINGS, "hydra.run.dir=run", "seed=5"
    )
    assert outcome.code == 0, outcome.err
    return Run(Path("run").absolute())


@pytest.fixture
def reproduce(command: RunCommand) -> Reproduce:
    """Reproduces that run into the folder ``again``."""
    return lambda *overrides: command("reproduce", "run=run", "hydra.run.dir=again", *overrides)


def report() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path("again/reproduction.json").read_text())
    # the checkout may be edited while tests run
    content["differences"] = [each for each in content["differences"] if each["about"] != "code"]
    return content


def named() -> set[tuple[str, str]]:
    return {(each["about"], each["name"]) for each in report()["differences"]}


def edit_config(run: Run, **values: Any) -> None:
    config = run.config()
    for key, value in values.items():
        OmegaConf.update(config, key.replace("__", "."), value)
    run.config_file.write_text(OmegaConf.to_yaml(config))


def edit_record(run: Run, part: str, **values: Any) -> None:
    record = run.record()
    record[part] |= values
    run.record_file.write_text(json.dumps(record))


def test_a_run_of_this_machine_comes_out_identical(run: Run, reproduce: Reproduce) -> None:
    before = {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}
    outcome = reproduce()
    assert outcome.code == 0, outcome.err
    assert "result: identical" in outcome.out
    assert report()["differences"] == []
    results = report()["results"]
    assert results["verdict"] == "identical"
    assert results["compared_videos"] == 4
    assert results["compared_values"] > 20
    again = Run(Path("again").absolute())
    assert again.windows_file.read_bytes() == run.windows_file.read_bytes()
    assert again.frames_file.read_bytes() == run.frames_file.read_bytes()
    assert again.record()["contents"] == run.record()["contents"]
    assert again.record()["status"] == "finished"
    assert again.config() == relocated(run.config(), again.folder)
    assert again.best_checkpoint.parent.parent == again.folder
    assert {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()} == before


def test_another_seed_is_named_and_comes_out_different(run: Run, reproduce: Reproduce) -> None:
    edit_config(run, seed=6, data__seed=6)
    outcome = reproduce()
    assert outcome.code == 1, outcome.err
    assert "config seed: 5 recorded, 6 here" in outcome.out
    assert "result: different" in outcome.out
    assert "may explain it: config seed and config file" in outcome.out
    assert named() == {("config", "seed"), ("config", "file")}
    parting = report()["results"]["parting"]
    assert (parting["epoch"], parting["step"]) == (0, 0)
    assert parting["values"]["recorded"] != parting["values"]["here"]
    assert f"first apart at epoch 0, step 0, {parting['metric']}" in outcome.out
    mae = report()["results"]["metrics"]["videos.mae"]
    assert mae["recorded"] == run.metrics()["videos"]["mae"]
    assert mae["here"] == Run(Path("again")).metrics()["videos"]["mae"] != mae["recorded"]


def test_another_picture_in_a_frame_is_named_and_comes_out_different(
    run: Run, reproduce: Reproduce, csv_corpus: Path
) -> None:
    frame = (
        csv_corpus.parent / "301_1_Freeform" / "frame_000002.jpg"
    )  # too short a video to leave a frame out
    Image.new("RGB", (24, 20), "white").save(frame)
    outcome = reproduce("tolerance=0")
    assert outcome.code == 1, outcome.err
    assert named() == {("data", "video 301_1_Freeform")}
    assert "data video 301_1_Freeform: 5 frames, digest" in outcome.out
    assert report()["results"]["verdict"] == "different"


def test_another_version_of_a_package_is_named(run: Run, reproduce: Reproduce) -> None:
    installed = run.record()["packages"]["numpy"]
    edit_record(run, "packages", numpy="1.0.0", gone="2.0.0")
    outcome = reproduce("check_only=true")
    assert outcome.code == 1, outcome.err
    assert f"package numpy: 1.0.0 recorded, {installed} here" in outcome.out
    assert "package gone: 2.0.0 recorded, none here" in outcome.out
    assert named() == {("package", "numpy"), ("package", "gone")}
    assert report()["results"] is None
    assert not Path("again/record.json").exists()


def test_what_differs_by_less_than_the_tolerance_is_within_it(run: Run, reproduce: Reproduce) -> None:
    edit_config(run, optim__optimizer__weight_decay=0.02)
    outcome = reproduce("tolerance=0.5")
    assert outcome.code == 0, outcome.err
    assert "result: within tolerance (0.5 points of MAE and RMSE)" in outcome.out
    assert named() == {("config", "file")}
    assert report()["results"]["parting"] is not None


def test_torch_computes_in_as_many_threads_as_recorded(run: Run, reproduce: Reproduce) -> None:
    here = torch.get_num_threads()
    edit_record(run, "hardware", torch_threads=here + 1)
    outcome = reproduce()
    assert outcome.code in (0, 1), outcome.err
    assert "Traceback" not in outcome.err
    assert f"torch threads for this training: {here + 1}; here they would be {here}" in outcome.out
    assert named() == set()
    assert Run(Path("again")).record()["hardware"]["torch_threads"] == here + 1
    assert torch.get_num_threads() == here
    shutil.rmtree("again")
    outcome = reproduce(f"threads={here}", "check_only=true")
    assert named() == {("hardware", "torch_threads")}
    assert "rounds sums in another order" in outcome.out


def test_a_corpus_that_was_moved_is_named_on_the_command_line(
    run: Run, reproduce: Reproduce, csv_corpus: Path, tmp_path: Path
) -> None:
    moved = csv_corpus.parent.rename(tmp_path / "moved") / csv_corpus.name
    outcome = reproduce("check_only=true")
    assert outcome.code == 2
    assert str(csv_corpus) in outcome.err
    outcome = reproduce(f"data.table={moved}", "check_only=true")
    assert named() == set()
    outcome = reproduce("data.root=corpus", "check_only=true")
    assert outcome.code == 2
    assert "config key data.root" in outcome.err


def test_labels_and_partitions_are_compared(run: Run, reproduce: Reproduce, csv_corpus: Path) -> None:
    rows = csv_corpus.read_text().splitlines()
    csv_corpus.write_text("\n".join(rows[:-2]) + "\n")  # without the recording of subject 306
    outcome = reproduce("check_only=true")
    assert outcome.code == 1, outcome.err
    assert "data number of test videos: 4 recorded, 2 here" in outcome.out
    assert named() == {
        ("data", "table"),
        ("data", "number of test videos"),
        ("data", "video 306_1_Freeform"),
        ("data", "video 306_1_Northwind"),
    }


def test_a_run_from_before_contents_were_noted_is_reproduced(run: Run, reproduce: Reproduce) -> None:
    run.frames_file.unlink()
    record = run.record()
    for key in ("contents", "config_digest", "process", "name", "network"):
        del record[key]
    run.record_file.write_text(json.dumps(record))
    config = run.config()
    del config.record_contents
    run.config_file.write_text(OmegaConf.to_yaml(config))
    outcome = reproduce()
    assert outcome.code == 0, outcome.err
    assert "the contents of frames were not recorded" in outcome.out
    assert named() == set()
    assert not Path("again/frames.csv").exists()


def test_what_cannot_be_reproduced_is_refused_before_training(
    run: Run, reproduce: Reproduce, command: RunCommand
) -> None:
    def refused(file: Path, content: str, mentioned: str) -> None:
        before = file.read_bytes()
        file.write_text(content)
        outcome = reproduce()
        file.write_bytes(before)
        assert outcome.code == 2, outcome.err
        assert "Traceback" not in outcome.err
        assert mentioned in outcome.err
        assert not Path("again/record.json").exists()

    record = run.record_file.read_text()
    refused(run.record_file, record[: len(record) // 2], "record.json")
    refused(run.record_file, json.dumps(run.record() | {"status": "interrupted"}), "interrupted")
    refused(run.record_file, json.dumps(run.record() | {"packages": [1]}), "packages")
    refused(run.config_file, "seed: [1", "config.yaml")
    refused(run.config_file, "seed: 5", "run_dir")
    refused(run.metrics_file, "{", "metrics.json")
    refused(run.predictions_file, "video_id", "predictions.csv is damaged: it lacks partition")
    refused(run.curves_file, "step\nfirst\n", "the results of the run are damaged")
    refused(run.frames_file, "", "the run is damaged")
    for arguments, mentioned in (
        ((), "run=RUN_DIR"),
        (("run=nowhere",), "nowhere"),
        (("run=run", "hydra.run.dir=run"), "there is a run in the folder"),
        (("run=run", "tolerance=-1"), "config key tolerance"),
        (("run=run", "threads=0"), "config key threads"),
    ):
        outcome = command("reproduce", *arguments)
        assert outcome.code == 2, outcome.err
        assert mentioned in outcome.err
        assert "Traceback" not in outcome.err


def made_with(**changes: Any) -> Conditions:
    facts: dict[str, Any] = {
        "seed": 0,
        "git_commit": "a" * 40,
        "git_diff": "",
        "packages": {},
        "hardware": {"gpus": [], "torch_threads": 1},
        "dataset": Dataset(fingerprint="f", videos={}),
    }
    return Conditions(**facts | changes)


def test_code_is_compared_by_file() -> None:
    one = "diff --git a/one.py b/one.py\n@@ -1 +1 @@\n-a\n+b\n"
    two = "diff --git a/two.py b/two.py\n@@ -1 +1 @@\n-a\n+b\n"
    found = differences(
        made_with(git_diff=one + two + "untracked: three.py\nuntracked: tests/four.py\n"),
        made_with(git_commit=None, git_diff=one.replace("+b", "+c") + "untracked: three.py\n"),
    )
    assert [str(difference) for difference in found] == [
        "code commit: aaaaaaaaaaaa recorded, none here",
        "code one.py: changed recorded, changed in another way here",
        "code two.py: changed recorded, as committed here",
    ]


def test_hardware_that_an_old_record_lacks_is_not_compared() -> None:
    here = made_with(hardware={"gpus": ["A100", "A100"], "torch_threads": 1, "instructions": "AVX512"})
    (difference,) = differences(made_with(), here)
    assert (difference.name, difference.recorded, difference.here) == ("gpus", "none", "A100, A100")


def results(logged: dict[tuple[int, str], str], folder: Path, mae: float = 5.0) -> Results:
    """Of a run directory with these logged values and one video."""
    run = Run(folder)
    run.curves_file.parent.mkdir(parents=True)
    names = sorted({name for _, name in logged})
    rows = [
        ",".join([str(step), "0", *(logged.get((step, name), "") for name in names)])
        for step in sorted({step for step, _ in logged})
    ]
    run.curves_file.write_text("\n".join([",".join(["step", "epoch", *names]), *rows]) + "\n")
    run.metrics_file.write_text(
        json.dumps({"videos": {"mae": mae, "rmse": mae, "ccc": None, "pearson": None}})
    )
    columns = "video_id,partition,subject,task,recording,label,estimate"
    run.predictions_file.write_text(f"{columns}\n1,test,1,,1,0,{mae}\n")
    return Results.of(run)


def test_what_measures_the_machine_is_not_compared(tmp_path: Path) -> None:
    loss = {(1, "training/loss"): "0.5"}
    one = results(loss | {(1, "throughput/data_wait"): "0.1", (2, "ranks/clips"): "3"}, tmp_path / "one")
    two = results(loss | {(1, "throughput/data_wait"): "0.2"}, tmp_path / "two")
    assert compare_results(one, two, 0).verdict is Verdict.IDENTICAL


def test_runs_part_at_the_first_step_where_a_logged_value_differs(tmp_path: Path) -> None:
    one = results({(2, "b"): "1", (1, "a"): "1", (9, "a"): "1"}, tmp_path / "one")
    two = results({(9, "a"): "1", (2, "b"): "1.5"}, tmp_path / "two")
    comparison = compare_results(one, two, 0)
    assert str(comparison.parting) == "epoch 0, step 1, a: 1 recorded, nothing here"
    assert comparison.verdict is Verdict.WITHIN_TOLERANCE  # the metrics are the same


@pytest.mark.parametrize(("tolerance", "verdict"), [(0.2, "within tolerance"), (0.05, "different")])
def test_the_tolerance_is_of_points(tmp_path: Path, tolerance: float, verdict: str) -> None:
    one, two = results({}, tmp_path / "one"), results({}, tmp_path / "two", mae=5.1)
    comparison = compare_results(one, two, tolerance)
    assert comparison.verdict == verdict
    assert comparison.videos.keys() == {"1"}
    assert comparison.metrics["videos.mae"].distance == pytest.approx(0.1)


def test_a_moved_runs_own_folders_move_and_its_corpus_does_not() -> None:
    config = OmegaConf.create(
        {
            "run_dir": "/old/run",
            "name": "/old/run",
            "trainer": {"default_root_dir": "/old/run", "strategy": {"run_dir": "/old/run/"}},
            "callbacks": {"best": {"dirpath": "/old/run/checkpoints", "others": ["/old/run/a", "/old/runs"]}},
            "logger": {"csv": {"save_dir": "${run_dir}", "name": "logs", "version": ""}, "none": None},
            "data": {"root": "/old/run/corpus"},
        }
    )
    moved = relocated(config, Path("/new"))
    assert OmegaConf.to_container(moved, resolve=True) == {
        "run_dir": "/new",
        "name": "/old/run",
        "trainer": {"default_root_dir": "/new", "strategy": {"run_dir": "/new/"}},
        "callbacks": {"best": {"dirpath": "/new/checkpoints", "others": ["/new/a", "/old/runs"]}},
        "logger": {"csv": {"save_dir": "/new", "name": "logs", "version": ""}, "none": None},
        "data": {"root": "/old/run/corpus"},
    }
    assert config.run_dir == "/old/run"
