"""A small training that something happens to in the middle."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW

from conftest import RunCommand
from depression_vr.runs.run import Run

SMALL = (
    "data=csv", "data.batch_size=2", "data.size=16", "data.clip_length=8", "data.num_workers=0",
    "trainer=cpu", "model.base_planes=2", "model.layers=[1,1,1,1]", "trainer.max_epochs=3", "logger=csv",
    "callbacks.resume.every_n_steps=1", "hydra.run.dir=run",
)  # fmt: skip
"""Of the four training videos of ``csv_corpus``: six steps, with a checkpoint after each."""


@contextmanager
def at_step(step: int, action: Callable[[], Any]) -> Iterator[None]:
    """Let something happen in an optimizer step of a training in this process."""
    steps = 0
    real = AdamW.step

    def counted(self: AdamW, **settings: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == step:
            action()
        return real(self, **settings)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AdamW, "step", counted)
        yield


Result = tuple[dict[str, Any], dict[str, list[Any]]]

_undisturbed: list[Result] = []


def result(run: Run) -> Result:
    """What a training has come to: metrics and weights."""
    weights: dict[str, Tensor] = torch.load(run.checkpoints / "last.ckpt", weights_only=True)["state_dict"]
    return run.metrics(), {name: tensor.tolist() for name, tensor in weights.items()}


def undisturbed(command: RunCommand, table: Path) -> Result:
    """What the training comes to when nothing happens to it; trained once for all tests."""
    if not _undisturbed:
        outcome = command("train", *SMALL, f"data.table={table}", "hydra.run.dir=undisturbed")
        assert outcome.code == 0, outcome.err
        _undisturbed.append(result(Run(Path("undisturbed"))))
    return _undisturbed[0]


def half_written(run: Run) -> list[Path]:
    """Files of the run that have not got their name."""
    return [path for path in run.folder.rglob(".*") if path.name != ".hydra"]
