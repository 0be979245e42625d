"""Rows about starting: how long a user waits for the first step of a training."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pydantic.dataclasses import dataclass

from depression_vr.bench.rows import Goal, Measure, Row
from depression_vr.errors import REQUEUE, UserError

_IMPORT = """
import time
began = time.perf_counter()
import depression_vr.train
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class StartupBenchmark:
    """A training as its command line starts it, with W&B's files but without its server.

    Attributes:
        arguments: of ``python -m depression_vr.train``.
    """

    arguments: Sequence[str]

    def rows(self, folder: Path) -> Sequence[Row]:
        """Start once: corpus, digests of its frames and bytecode are there from then on."""
        start = partial(self._seconds_to_first_step, folder)
        start()
        command = " ".join(("train", *self.arguments))
        return [
            Row(
                "startup first step",
                Measure(f"{command}: from command to the end of the first step, corpus cached", "s", start),
                goal=Goal("figure", most=12),
            ),
            Row(
                "startup imports",
                Measure("of that, imports of depression_vr.train", "s", _seconds_of_imports),
                goal=Goal("figure", most=4),
            ),
        ]

    def _seconds_to_first_step(self, folder: Path) -> float:
        moment = folder / "first_step.txt"
        moment.unlink(missing_ok=True)
        began = time.time()
        process = _python(
            "-m",
            "depression_vr.train",
            *self.arguments,
            "logger.wandb.mode=offline",
            "+callbacks.first_step._target_=depression_vr.bench.first_step.FirstStep",
            f"+callbacks.first_step.file='{moment}'",
            f"hydra.run.dir='{folder / str(time.time_ns())}'",
        )
        if process.returncode != REQUEUE or not moment.is_file():
            raise UserError(
                f"the training that is measured has failed:\n{process.stderr.strip()}",
                where="config key benchmarks.startup.arguments",
                fix="give arguments with which python -m depression_vr.train works",
            )
        return float(moment.read_text(encoding="utf-8")) - began


def _seconds_of_imports() -> float:
    process = _python("-c", _IMPORT)
    process.check_returncode()
    return float(process.stdout)


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process as a user starts it, whose bytecode stays."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
