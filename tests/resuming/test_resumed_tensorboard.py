"""TensorBoard's own reader finds each row of a run once, however often the run was killed."""

from pathlib import Path

import pandas as pd
import pytest

from depression_vr.loggers.tensorboard import ResumableTensorBoardLogger
from killing import KILLED, KillPoint, trained, write_corpus
from test_resume_command import SMALL

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by the names of what was logged."""
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {
        name: [(row.step, row.value) for row in events.Scalars(name)] for name in events.Tags()["scalars"]
    }


@pytest.mark.parametrize("kept", [0, 4])
def test_rows_behind_a_checkpoint_come_once(tmp_path: Path, kept: int) -> None:
    for attempt in (1, 2):
        logger = ResumableTensorBoardLogger(tmp_path, name="", version="")
        if attempt == 2:
            logger.resume_at(kept)
        logger.log_hyperparams({"seed": 0})
        for step in range(logger.rows, 6):
            logger.log_metrics({"loss": attempt}, step)
        assert logger.rows == 6
        logger.save()
    found = read(tmp_path)
    assert found["loss"] == [(step, 1 if step < kept else 2) for step in range(6)]
    assert found["hp_metric"] == [(0, -1)]


@pytest.mark.slow
def test_a_killed_run_has_each_row_once(tmp_path: Path) -> None:
    table = write_corpus(tmp_path / "corpus")
    settings = [*SMALL, f"data.table={table}", "logger=tensorboard", "callbacks.resume.every_n_steps=4"]
    # in the eleventh step, behind the first validation; the last checkpoint is from before the ninth
    kill = KillPoint("torch.optim.adamw:AdamW.step", 11)
    assert trained(tmp_path, settings, kill) == KILLED
    assert trained(tmp_path, ["resume=run"]) == 0
    logged = pd.read_csv(tmp_path / "run" / "logs" / "metrics.csv")
    found = read(tmp_path / "run" / "tensorboard")
    assert set(found) == set(logged.columns) - {"step"} | {"hp_metric"}
    for name in set(found) - {"hp_metric"}:
        rows = logged[["step", name]].dropna()
        assert [step for step, _ in found[name]] == rows["step"].tolist(), name
        assert [value for _, value in found[name]] == pytest.approx(rows[name].tolist()), name
