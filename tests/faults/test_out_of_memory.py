"""Memory that does not suffice: the error says for what, and what to lower."""

import importlib
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from breaking import SMALL, at_step
from conftest import RunCommand
from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.run import Run
from random_runs import make_run

GIB = 2**30


@pytest.fixture
def one_more_gibibyte() -> Iterator[None]:
    """This process gets no more than that, when its libraries are loaded."""
    importlib.import_module("depression_vr.train")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + GIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


LARGE = ("data.size=512", "data.clip_length=32", "model.base_planes=32", "model.layers=[1,1,1,1]")


@pytest.mark.usefixtures("one_more_gibibyte")
def test_a_training_that_does_not_fit(command: RunCommand, csv_corpus: Path) -> None:
    own = (*LARGE, "data.batch_size=4", "trainer.accumulate_grad_batches=3")
    outcome = command("train", *SMALL, f"data.table={csv_corpus}", *own)
    assert outcome.code == 2
    assert "the machine has too little memory for the training" in outcome.err
    assert "batches of 4 clips of 32 x 512 x 512 (frames x height x width)" in outcome.err
    assert "data.batch_size=2 and trainer.accumulate_grad_batches=6" in outcome.err
    assert "data.size" in outcome.err
    assert "precision=32-true" in outcome.err
    assert "Traceback" not in outcome.err
    record = Run(Path("run")).record()
    assert record["status"] == "failed"
    assert "too little memory" in record["error"]


@pytest.mark.usefixtures("one_more_gibibyte")
def test_an_evaluation_that_does_not_fit(command: RunCommand, csv_corpus: Path) -> None:
    torch.save(StaDrn(base_planes=32, layers=(1, 1, 1, 1)).state_dict(), "best.pth")
    own = (*LARGE, "trainer=cpu", "data.evaluation_batch_size=4", "data.num_workers=0", "hydra.run.dir=run")
    outcome = command("evaluate", "ckpt=best.pth", "data=csv", f"data.table={csv_corpus}", *own)
    assert outcome.code == 2
    assert "too little memory for the evaluation" in outcome.err
    assert "lower data.evaluation_batch_size, such as to 2" in outcome.err
    assert "Traceback" not in outcome.err
    assert Run(Path("run")).record()["status"] == "failed"
    assert not Run(Path("run")).metrics_file.exists()


def exhausted(*_: object) -> None:
    """What a network does whose GPU has no memory left."""
    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 10.75 GiB"
    )


def test_what_a_gpu_says_is_understood(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_step(3, lambda: monkeypatch.setattr(StaDrn, "forward", exhausted)):
        outcome = command("train", *SMALL, f"data.table={csv_corpus}")
    assert outcome.code == 2
    assert "the GPU has too little memory for the training: 2.50 GiB more were wanted" in outcome.err
    assert "precision=bf16-mixed" in outcome.err
    assert "resume='" in outcome.err


@pytest.mark.parametrize(
    "name",
    [
        "predict",
        pytest.param("explain", marks=pytest.mark.slow),
        pytest.param("robustness", marks=pytest.mark.slow),
    ],
)
def test_so_it_is_where_a_run_is_opened_again(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run = make_run(Path("run"), csv_corpus, "model=sta_drn", "model.base_planes=2", "model.layers=[1,1]")
    (run / "record.json").write_text("{}")
    own = {
        "predict": [f"input={csv_corpus.parent}/305_1_Freeform"],
        "explain": ["video=305_1_Freeform"],
        "robustness": ["degradations=noise"],
    }
    monkeypatch.setattr(StaDrn, "forward", exhausted)
    outcome = command(name, f"run={run}", *own[name], "trainer=cpu", "hydra.run.dir=out")
    assert outcome.code == 2
    assert "too little memory for the evaluation: 2.50 GiB more were wanted" in outcome.err
    assert "lower data.evaluation_batch_size" in outcome.err
    assert ("lower at_once" in outcome.err) == (name == "explain")
    assert "Traceback" not in outcome.err
    assert not [*Path("out").rglob("*.csv"), *Path("out").rglob("explanation.json")]


def test_another_runtime_error_is_a_bug(
    command: RunCommand, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(StaDrn, "forward", broken)
    outcome = command("train", *SMALL, f"data.table={csv_corpus}")
    assert outcome.code == 1
    assert "Traceback" in outcome.err
