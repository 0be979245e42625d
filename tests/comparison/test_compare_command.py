"""The command: which runs it groups, leaves out and refuses, and what it writes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from conftest import RunCommand
from made_runs import Made, corpus, six_runs

FILES = {
    "groups.csv", "seeds.csv", "pairs.csv", "videos.csv",
    "comparison.md", "comparison.tex", "comparison.html",
}  # fmt: skip
QUICK = ("runs=runs", "out=out", "resamples=999")
LATER = "2026-01-02T10:00:00+00:00"


def names(folder: str = "out") -> list[str]:
    return pd.read_csv(f"{folder}/groups.csv")["group"].unique().tolist()


def seeds(folder: str = "out") -> dict[str, int]:
    table = pd.read_csv(f"{folder}/groups.csv")
    return dict(zip(table["group"], table["seeds"], strict=True))


def test_six_runs_are_compared_in_all_formats(command: RunCommand) -> None:
    six_runs(Path("runs"), corpus())
    outcome = command("compare", *QUICK)
    assert outcome.code == 0, outcome.err
    assert {file.name for file in Path("out").iterdir()} == FILES
    assert seeds() == {"sta_drn": 3, "r3d_18": 3}
    assert "sta_drn is better" in outcome.out
    assert "Of one seed only" not in outcome.out
    groups = pd.read_csv("out/groups.csv")
    assert set(groups["subjects"]) == {8}
    mean = f"{groups['mean'][0]:.2f} ±"
    for written in (outcome.out, *(Path(f"out/comparison.{kind}").read_text() for kind in ("md", "html"))):
        assert mean in written


def test_the_same_runs_give_the_same_bytes(command: RunCommand) -> None:
    six_runs(Path("runs"), corpus(), seeds=1)
    assert command("compare", "runs=runs", "out=a").code == 0
    assert command("compare", "runs=[runs/r3d_18,runs/sta_drn]", "out=b").code == 0
    for name in FILES:
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes(), name


@pytest.mark.parametrize(
    "given", ["group_by=model,data", "group_by=[model,data]", "group_by=[network,corpus]"]
)
def test_groups_are_named_by_what_the_user_groups_by(command: RunCommand, given: str) -> None:
    six_runs(Path("runs"), corpus(), seeds=1)
    outcome = command("compare", *QUICK, given)
    assert outcome.code == 0, outcome.err
    assert names() == ["sta_drn, csv", "r3d_18, csv"]
    assert "Of one seed only: sta_drn, csv; r3d_18, csv." in " ".join(outcome.out.split())


def test_groups_are_named_by_the_settings_that_differ(command: RunCommand) -> None:
    manifest = corpus()
    for attention, rate in (("sta", 0.1), ("ta", 0.1), ("ta", 0.2)):
        for seed in range(2):
            changes = {"model.attention": attention, "optim.optimizer.lr": rate, "data.num_workers": seed}
            Made(Path(f"runs/{attention}{rate}{seed}"), manifest, seed=seed, changes=changes).write()
    assert command("compare", *QUICK).code == 0
    assert sorted(names()) == [
        f"sta_drn (attention={a}, lr={r})" for a, r in (("sta", 0.1), ("ta", 0.1), ("ta", 0.2))
    ]
    assert (
        command("compare", "runs=runs", "out=other", "group_by=optim.optimizer.lr,model.attention").code == 0
    )
    assert sorted(names("other")) == ["lr=0.1, attention=sta", "lr=0.1, attention=ta", "lr=0.2, attention=ta"]


def test_runs_of_one_seed_with_other_settings_are_not_taken_for_repeated_ones(command: RunCommand) -> None:
    manifest = corpus()
    for attention in ("sta", "ta"):
        Made(Path("runs", attention), manifest, changes={"model.attention": attention}).write()
    outcome = command("compare", *QUICK, "group_by=model")
    assert outcome.code == 2
    assert "model.attention: sta or ta" in outcome.err
    assert not Path("out").exists()


def test_of_repeated_runs_the_newest_counts(command: RunCommand) -> None:
    manifest = corpus()
    Made(Path("runs/old"), manifest).write(estimates=manifest["label"] + 5)
    Made(Path("runs/new"), manifest).write(estimates=manifest["label"] + 2, started=LATER)
    outcome = command("compare", *QUICK)
    assert outcome.code == 0, outcome.err
    table = pd.read_csv("out/groups.csv")
    assert table["seeds"].unique().tolist() == [1]
    assert table["mean"][0] == pytest.approx(2)
    assert "runs/old: repeated: runs/new is newer" in outcome.out


def test_a_recipe_brings_its_published_result_of_its_own_corpus(command: RunCommand) -> None:
    manifest = corpus()
    recipe = {"corpus": "CSV", "published": {"mae": 6.15, "rmse": 7.98, "source": "Pan & al. 2023"}}
    overrides = ["experiment=sta_drn_paper"]
    Made(Path("runs/paper"), manifest, changes={"recipe": recipe}).write(overrides=overrides)
    elsewhere = recipe | {"corpus": "AVEC2014"}
    Made(Path("runs/other"), manifest, "r3d_18", changes={"recipe": elsewhere}).write()
    assert command("compare", *QUICK, "group_by=experiment").code == 0
    table = pd.read_csv("out/groups.csv").query("over == 'videos'").set_index(["group", "metric"])
    assert table.loc[("sta_drn_paper", "mae"), "published"] == 6.15
    assert table.loc[("sta_drn_paper", "rmse"), "published_source"] == "Pan & al. 2023"
    assert pd.isna(table.loc[("sta_drn_paper", "ccc"), "published"])
    assert pd.isna(table.loc[("none", "mae"), "published"])
    assert "6.15 / 7.98 (Pan & al. 2023)" in Path("out/comparison.md").read_text()
    latex = Path("out/comparison.tex").read_text()
    assert r"6.15 / 7.98 (Pan \& al. 2023)" in latex
    assert r"sta\_drn\_paper" in latex


def test_tables_of_latex_and_markdown_have_as_many_cells_as_headings(command: RunCommand) -> None:
    manifest = corpus()
    for value in ("a_b%#|$", "x&{y}~^\\"):
        Made(Path("runs", value[0]), manifest, changes={"model.attention": value}).write()
    assert command("compare", *QUICK, "group_by=model.attention").code == 0
    latex = Path("out/comparison.tex").read_text()
    tables = re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", latex, re.DOTALL)
    assert len(tables) == 2
    for columns, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
        assert len(rows) >= 2
        assert not re.search(r"(?<!\\)[_%#]", body.replace("$d_z$", ""))
    markdown = re.findall(r"(?:^\|.*\n)+", Path("out/comparison.md").read_text(), re.MULTILINE)
    assert len(markdown) == 2
    for table in markdown:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_unfinished_and_damaged_runs_are_left_out_with_the_reason(command: RunCommand) -> None:
    manifest = corpus()
    runs = six_runs(Path("runs"), manifest)
    runs[1].record_file.write_text(json.dumps(runs[1].record() | {"status": "failed", "error": "Boom: no"}))
    runs[2].predictions_file.write_text("video_id,label\n")
    edited = runs[3].predictions()
    edited["estimate"] += 1
    edited.to_csv(runs[3].predictions_file, index=False)
    Made(Path("runs/development"), manifest.replace("test", "development")).write(partition="development")
    Made(Path("runs/again"), manifest, changes={"run": "runs/sta_drn/seed0"}).write()
    outcome = command("compare", *QUICK)
    assert outcome.code == 0, outcome.err
    assert seeds() == {"sta_drn": 1, "r3d_18": 2}
    told = outcome.out.partition("5 runs left out\n")[2]
    for line in (
        "runs/sta_drn/seed1: failed: Boom: no",
        "runs/sta_drn/seed2: damaged: predictions.csv is damaged: it lacks partition",
        "runs/r3d_18/seed0: damaged: metrics.json and predictions.csv disagree",
        "runs/development: evaluated on the development partition, not on test",
        "runs/again: an evaluation of another run",
    ):
        assert line in told


def test_a_checkpoint_from_elsewhere_is_a_group_of_its_own(command: RunCommand) -> None:
    manifest = corpus()
    six_runs(Path("runs"), manifest, seeds=2)
    changes = {"model.attention": "ta"}
    Made(Path("runs/published"), manifest, changes=changes).write(
        fingerprint=None, checkpoint="/downloads/best.pth"
    )
    assert command("compare", *QUICK).code == 0
    assert seeds() == {"sta_drn": 2, "r3d_18": 2, "sta_drn (checkpoint=best.pth)": 1}
    other = Made(Path("runs/again"), manifest, changes=changes | {"data.frame_step": 6})
    other.write(fingerprint=None, checkpoint="/downloads/best.pth")
    assert command("compare", "runs=runs", "out=both").code == 0
    assert {name for name in names("both") if "best.pth" in name} == {
        f"sta_drn (checkpoint=best.pth, frame_step={step})" for step in (3, 6)
    }
    of_seeds = pd.read_csv("out/seeds.csv", dtype=str).drop_duplicates("runs").set_index("runs")["seed"]
    assert of_seeds["runs/r3d_18/seed1"] == "1"
    assert pd.isna(of_seeds["runs/published"])


def test_seeds_without_all_folds_are_left_out(command: RunCommand) -> None:
    manifest = corpus(9)
    for fold in (0, 2):
        changes = {"data.protocol": "subject_disjoint_kfold", "data.folds": 3, "data.fold": fold}
        Made(Path(f"runs/fold{fold}"), manifest, changes=changes).write()
    outcome = command("compare", *QUICK)
    assert outcome.code == 2
    assert "fold 1 of 3 of seed 0 not finished" in outcome.err
    assert not Path("out").exists()


def test_runs_tested_on_different_videos_are_refused(command: RunCommand) -> None:
    manifest = corpus()
    six_runs(Path("runs"), manifest, seeds=1)
    changed = manifest.copy()
    changed.loc[changed["recording"] == "302_1", "label"] += 1
    changed = changed[changed["video_id"] != "303_1_Northwind"]
    Made(Path("runs/other"), changed, "other").write()
    outcome = command("compare", *QUICK)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    label = manifest.set_index("video_id")["label"]["302_1_Freeform"]
    for told in (
        "runs/other: unlike runs/r3d_18/seed0 and 1 more, lacks 1 video (303_1_Northwind)",
        f"has another label for 2 videos (302_1_Freeform: {label + 1}, not {label}",
    ):
        assert told in outcome.err
    assert not Path("out").exists()


def test_a_reader_is_told_of_trials_stopped_early_and_of_averaged_settings(command: RunCommand) -> None:
    manifest = corpus()
    Made(Path("runs/a"), manifest, seed=0).write(stopped_early={"epoch": 3, "development_mae": 9.0})
    Made(Path("runs/b"), manifest, seed=1, changes={"model.attention": "ta"}).write()
    outcome = command("compare", *QUICK, "group_by=model,")
    assert outcome.code == 0, outcome.err
    told = Path("out/comparison.md").read_text().replace("\\_", "_")
    assert "averages runs of different settings: model.attention" in told
    assert "has runs that their sweep has stopped early" in told


def test_groups_of_different_corpora_are_listed_but_not_paired(command: RunCommand) -> None:
    Made(Path("runs/a"), corpus()).write()
    Made(Path("runs/b"), corpus(6)).write(corpus="AVEC2014")
    assert command("compare", *QUICK, "group_by=model").code == 0
    assert sorted(names()) == ["sta_drn, AVEC2014", "sta_drn, csv"]
    assert pd.read_csv("out/pairs.csv").empty


def test_ids_can_be_left_at_home(command: RunCommand) -> None:
    manifest = corpus()
    six_runs(Path("runs"), manifest, seeds=1)
    failed = Made(Path("runs/other"), manifest, "other").write(status="failed", error="304_1_Freeform is bad")
    damaged = Made(Path("runs/damaged"), manifest, "damaged").write()
    damaged.predictions_file.write_text(damaged.predictions_file.read_text().replace("305_1_Freeform,", "x"))
    assert failed.record()["status"] == "failed"
    named = command("compare", "runs=runs", "out=named", "resamples=999")
    assert "304_1_Freeform is bad" in named.out
    outcome = command("compare", *QUICK, "show_ids=false")
    assert outcome.code == 0, outcome.err
    assert "2 runs left out" in outcome.out
    written = outcome.out + "".join(file.read_text() for file in Path("out").iterdir())
    ids = {*manifest["video_id"], *manifest["recording"]}
    assert not [name for name in ids if name in written]
    assert set(manifest["subject"]).isdisjoint(pd.read_csv("out/videos.csv", dtype=str)["subject"])
    assert "names videos" not in written
    assert "names videos" in Path("named/comparison.html").read_text()
    pd.testing.assert_frame_equal(pd.read_csv("out/pairs.csv"), pd.read_csv("named/pairs.csv"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("runs=nowhere",), "no folder nowhere"),
        (("runs=empty",), "no run to compare"),
        (("runs=runs", "group_by=model.colour"), "no run has the key model.colour"),
        (("runs=runs", "out=runs/a"), "into a run directory"),
        (("runs=runs", "out=runs/a/new"), "into a run directory"),
        (("runs=runs", "out=file"), "a file of this name"),
        (("runs=runs", "out=file/below"), "a file of this name"),
        (("runs=runs", "out=/proc/below"), "cannot be written"),
        (("runs=runs", "out="), "config key out"),
        (("runs=runs", "group_by="), "config key group_by"),
        (("runs=runs", "group_by=[]"), "config key group_by"),
        (("runs=runs", "group_by=optim"), "optim is a part of the config"),
        (("runs=runs", "resamples=3"), "config key resamples"),
        (("runs=runs", "resamples=99999999999"), "config key resamples"),
        ((), "runs"),
    ],
)
def test_wrong_input_is_refused_and_nothing_written(
    command: RunCommand, arguments: tuple[str, ...], told: str
) -> None:
    Made(Path("runs/a"), corpus(2)).write()
    Path("empty").mkdir()
    Path("file").touch()
    before = sorted(Path().rglob("*"))
    outcome = command("compare", *arguments)
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert sorted(Path().rglob("*")) == before


def test_needs_no_torch() -> None:
    code = "import sys, depression_vr.compare; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
