"""What a command takes over from a run, and what it says of one that has not finished."""

import json
import logging
from pathlib import Path

import pytest

from depression_vr.runs.run import Run
from depression_vr.taking_over import checkpoint_of


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_the_checkpoint_of_a_run_that_has_not_finished_comes_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    run = Run(tmp_path)
    run.checkpoints.mkdir()
    best = run.checkpoints / "best.ckpt"
    best.touch()
    error = {"error": "UserError: a frame cannot be read"} if status == "failed" else {}
    record = {"status": status, "started": "2026-11-23T02:00:00+00:00", **error}
    run.record_file.write_text(json.dumps(record))
    run.metrics_file.write_text("{}")
    with caplog.at_level(logging.WARNING):
        assert checkpoint_of(run) == best
    how = {"failed": "failed: a frame cannot be read", "interrupted": "interrupted"}
    told = [f"the run has not finished ({how[status]})"] if status in how else []
    assert [message.split(":", 1)[1].rpartition(":")[0].strip() for message in caplog.messages] == told
