"""`explain` of a partition: regions, bands and sanity checks; every video is kept when it is done."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from conftest import RunCommand
from depression_vr.explaining.methods import Settings
from depression_vr.explaining.partition.looking import Looking
from depression_vr.explaining.partition.settings import PartitionSettings, Sanity
from depression_vr.explaining.sanity.deletion import FRACTIONS
from depression_vr.explaining.sanity.motion import MOTION
from depression_vr.face_places import face_places
from depression_vr.faces.aligning.template_regions import REGIONS
from depression_vr.runs.bands import NO_DIAGNOSIS
from random_runs import make_run, opened

METHODS = ("attention", "grad_cam")
QUICK = (
    "n=0", "trainer=cpu", "data.num_workers=0", f"methods=[{','.join(METHODS)}]", "windows=2", "resamples=99",
    "sanity.videos=2", "sanity.blocks=[2,4,4]", "sanity.orders=1",
)  # fmt: skip


@pytest.fixture
def made_run(tmp_path: Path, csv_corpus: Path) -> Path:
    return make_run(
        tmp_path / "run", csv_corpus, "model=sta_drn", "model.base_planes=2", "model.layers=[1,1]"
    )


def test_a_partition_gets_tables_and_figures_and_goes_on(command: RunCommand, made_run: Path) -> None:
    arguments = ("explain", f"run={made_run}", "hydra.run.dir=out", *QUICK)
    folder = Path("out/partition")
    folder.mkdir(parents=True)
    (folder / "maps_relations.png").touch()  # of a time before, when it was another network
    outcome = command(*arguments)
    assert outcome.code == 0, outcome.err
    assert not (folder / "maps_relations.png").exists()
    tables = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
    assert {*tables} == {"regions", "deletion", "deletion_heights", "replaced", "randomised"}
    names = [*METHODS, MOTION]
    for figure in ("regions", "deletion", "replaced", "randomised", *(f"maps_{name}" for name in names)):
        assert np.asarray(Image.open(folder / f"{figure}.png")).std() > 1

    regions = tables["regions"]
    shares = regions.groupby(["method", "band"])["share"].sum()
    np.testing.assert_allclose(shares, 1, atol=1e-5)
    assert {*regions["method"]} == {*names} and {*regions["region"]} == {*REGIONS}
    videos = regions.drop_duplicates("band").set_index("band")["videos"]
    assert videos["all"] == 4 == videos.drop("all").sum()

    curves = tables["deletion"].set_index(["curve", "order", "fraction"])["distance"].unstack()
    assert len(curves) == 2 * (2 * len(names) + 1) and [*curves.columns] == [*FRACTIONS]
    assert (curves.loc["deletion", 0] == 0).all() and (curves.loc["insertion", 1] == 0).all()
    assert curves.loc["deletion", 1].nunique() == 1
    randomised = tables["randomised"]
    assert [*randomised["randomised"].unique()][:4] == ["head", "stage 2", "stage 1", "stem"]
    of_attention = randomised.query("method == 'attention' and randomised == 'head' and measure == 'ssim'")
    np.testing.assert_allclose(of_attention["mean"], 1)  # which does not pass through the head

    summary = json.loads((folder / "partition.json").read_text())
    assert summary["note"] == NO_DIAGNOSIS
    assert summary["substituted_frames"] == 0
    assert summary["videos"] == 4 and len(summary["regions"]) == len(regions)

    found = sorted((folder / "videos").iterdir())
    before = [path.stat().st_mtime_ns for path in found]
    found[1].unlink()
    assert command(*arguments).code == 0
    after = [path.stat().st_mtime_ns for path in found]
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False, True, True]
    for name, table in tables.items():
        pd.testing.assert_frame_equal(pd.read_csv(folder / f"{name}.csv"), table)


def test_randomised_networks_do_not_depend_on_how_many_videos_are_checked(made_run: Path) -> None:
    trained = opened(made_run)
    states = []
    for videos in (1, 4):
        sanity = Sanity(videos, (2, 4, 4), 1)
        wanted = PartitionSettings("test", 1, None, 99, sanity, 0)
        looking = Looking(trained, METHODS, Settings(), wanted, face_places(None, "made"), (32, 32))
        states.append([network.state_dict() for network in looking.randomised()])
    for one, other in zip(*states, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ("face=[[0.6,0.3],[0.4,0.3],[0.5,0.6]]", "face"),
        ("sanity.blocks=[0,4,4]", "sanity.blocks"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_made(
    command: RunCommand, made_run: Path, wrong: str, key: str
) -> None:
    outcome = command("explain", f"run={made_run}", "hydra.run.dir=out", *QUICK, "n=1", wrong)
    assert outcome.code == 2
    assert f"config key {key}" in outcome.err and "Traceback" not in outcome.err
    assert not Path("out/videos").exists()
