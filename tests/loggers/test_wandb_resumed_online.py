"""A run that is killed while it is online goes on with what the server has of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from breaking import SMALL
from depression_vr.runs.run import Run
from wandb_server import WandbServer

pytestmark = pytest.mark.slow

ONLINE = (
    *SMALL[:-1], "hydra.run.dir=run", "logger=default", "logger.wandb.mode=online",
    "trainer.log_every_n_steps=1", "callbacks.resume.every_n_steps=3", "callbacks.throughput=null",
)  # fmt: skip
_WAITS_IN_A_STEP = """
from breaking import at_step
from depression_vr.train import main

with at_step(5, wait):
    main()
"""
_WAITS_WITH_RESULTS_SENT = """
from depression_vr import training
from depression_vr.train import main

log_results = training.log_results

def and_wait(*arguments):
    log_results(*arguments)
    wait()

training.log_results = and_wait
main()
"""
_WAIT = "import time\n\ndef wait():\n    time.sleep(300)\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    started = WandbServer()
    for name in ("WANDB_SERVICE", "WANDB_MODE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", started.url)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)
    yield started
    started.go_away()


@pytest.mark.parametrize(
    ("program", "arrived"),
    [(_WAITS_IN_A_STEP, "training/loss_step"), (_WAITS_WITH_RESULTS_SENT, "results/predictions")],
)
def test_each_row_and_table_comes_once(
    csv_corpus: Path, server: WandbServer, program: str, arrived: str
) -> None:
    begin = [sys.executable, "-c", _WAIT + program, *ONLINE, f"data.table={csv_corpus}"]
    with subprocess.Popen(begin) as process:
        while not any(arrived in row for row in server.streamed("wandb-history.jsonl")):
            assert process.poll() is None
            time.sleep(0.1)
        process.kill()
    known = Path("run/wandb/id.json").read_text()
    subprocess.run([sys.executable, "-m", "depression_vr.train", "resume=run"], check=True)
    assert Run(Path("run")).is_finished
    assert Path("run/wandb/id.json").read_text() == known
    ((_, rows),) = server.history().items()
    steps = [row["trainer/global_step"] for row in rows if "training/loss_step" in row]
    assert steps == list(range(6))
    assert sum("development/mae" in row for row in rows) == 3
    assert sum("results/predictions" in row for row in rows) == 1
    assert len(server.streamed("wandb-history.jsonl")) == len(rows)  # none took the place of another
