"""PLEGDF-FGLSCF through the commands: the same ways as every network, with two views of each frame."""

from pathlib import Path

import pytest

from conftest import RunCommand
from depression_vr.runs.run import Run

NETWORK = ("model=plegdf_fglscf", "model.base_planes=2", "model.layers=[1,1,1,1]")
CLIPS = ("data.clip_length=8", "data.size=32", "data.num_workers=0", "trainer=cpu", "trainer.max_epochs=1")


@pytest.fixture
def run(command: RunCommand, csv_corpus: Path) -> Run:
    """A short training on the small table."""
    table = ("data=csv", f"data.table={csv_corpus}")
    outcome = command("train", *NETWORK, *table, *CLIPS, "logger=csv", "hydra.run.dir=run")
    assert outcome.code == 0, outcome.err
    return Run(Path("run"))


def test_a_run_is_evaluated_again_and_elsewhere(run: Run, command: RunCommand, csv_corpus: Path) -> None:
    assert run.record()["status"] == "finished"
    assert command("evaluate", "run=run", "hydra.run.dir=again", "trainer=cpu").code == 0
    assert Run(Path("again")).windows_file.read_bytes() == run.windows_file.read_bytes()
    table = ("data=csv", f"data.table={csv_corpus}", "data.batch_size=1")
    outcome = command("evaluate", "run=run", *table, "partition=development", "hydra.run.dir=dev")
    assert outcome.code == 0, outcome.err
    config = Run(Path("dev")).config()
    assert config.data.read_at == "own"
    assert len(config.data.regions) == 2


def test_another_size_than_the_relations_is_refused(run: Run, command: RunCommand) -> None:
    outcome = command("evaluate", "run=run", "data.size=64")
    assert outcome.code == 2
    assert "32x32 pixels, not 64x64" in outcome.err
    assert "data.size" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("override", "mentioned"),
    [
        ("data.size=40", "data.size"),
        ("model.fusion=product", "fglscf"),
        ("model.plegdf_stages=[5]", "plegdf_stages"),
        ("model.dropout_on=clips", "dropout_on"),
        ("data.read_at=network", "data.read_at"),
        ("data.regions.1.bottom=0.1", "top < bottom"),
        ("data.regions=[]", "data.regions"),
        ("model.size=[32]", "size"),
    ],
)
def test_settings_that_make_no_network_are_refused(
    command: RunCommand, csv_corpus: Path, override: str, mentioned: str
) -> None:
    table = ("data=csv", f"data.table={csv_corpus}")
    outcome = command("train", *NETWORK, *table, *CLIPS, "logger=none", override)
    assert outcome.code == 2
    assert mentioned in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("batch_size", [1, 3])  # of 4 training videos
def test_batches_that_are_too_small_for_batch_norm_are_refused(
    command: RunCommand, csv_corpus: Path, batch_size: int
) -> None:
    settings = (*NETWORK, "data=csv", f"data.table={csv_corpus}", *CLIPS, "logger=none")
    outcome = command("train", *settings, f"data.batch_size={batch_size}")
    assert outcome.code == 2
    assert "a batch of 1 is too small" in outcome.err
    assert "data.batch_size and data.drop_last" in outcome.err
    assert "Traceback" not in outcome.err


def test_leaving_out_a_last_batch_that_is_too_small_helps(command: RunCommand, csv_corpus: Path) -> None:
    settings = (*NETWORK, "data=csv", f"data.table={csv_corpus}", *CLIPS, "logger=none")
    outcome = command("train", *settings, "data.batch_size=3", "data.drop_last=true")
    assert outcome.code == 0, outcome.err


def test_a_network_of_one_view_refuses_two(command: RunCommand, csv_corpus: Path) -> None:
    table = ("data=csv", f"data.table={csv_corpus}")
    region = "{_target_: depression_vr.data.regions.Region}"
    regions = f"data.regions=[{region},{region}]"
    outcome = command("train", "model=mean_baseline", *table, *CLIPS, "logger=none", regions)
    assert outcome.code == 2
    assert "regions" in outcome.err
