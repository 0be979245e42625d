"""All runs below some folders, each summarised from its record and its metrics."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from depression_vr.errors import UserError, first_line
from depression_vr.runs.process import is_dead
from depression_vr.runs.run import Run

Status = Literal["running", "finished", "failed", "interrupted", "killed", "damaged"]
SortKey = Literal[
    "started", "duration", "experiment", "network", "corpus", "seed", "folder",
    "mae", "rmse", "ccc", "development_mae",
]  # fmt: skip

_THREADS = 8
_RECIPE = "experiment="


@dataclass(frozen=True)
class RunSummary:
    """One run, as a row of the listing; None is what it has not, or not yet.

    Attributes:
        folder: the run directory.
        status: as the record has it; ``killed`` where it says ``running``, but the process is gone;
            ``damaged`` where its files cannot be read.
        experiment: name of the recipe, or else of the run.
        network: its config's name.
        corpus: its name.
        seed: of the run.
        partition: that the metrics are of.
        mae: over videos, in points.
        rmse: over videos, in points.
        ccc: over videos.
        development_mae: the lowest of the training, in points.
        started: when it began.
        duration: from the beginning to the end, or so far.
        remark: the error of a failed run, or what is damaged, in one line.
    """

    folder: Path
    status: Status
    experiment: str | None = None
    network: str | None = None
    corpus: str | None = None
    seed: int | None = None
    partition: str | None = None
    mae: float | None = None
    rmse: float | None = None
    ccc: float | None = None
    development_mae: float | None = None
    started: datetime | None = None
    duration: timedelta | None = None
    remark: str = ""


class _Process(BaseModel):
    host: str
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    started: float


class _Dataset(BaseModel):
    corpus: str | None = None


class _Record(BaseModel):
    """What the listing takes from ``record.json``."""

    status: Literal["running", "finished", "failed", "interrupted"]
    started: AwareDatetime
    ended: AwareDatetime | None = None
    error: str = ""
    kind: str | None = None
    process: _Process | None = None
    overrides: list[str] = []
    name: str | None = None
    network: str | None = None
    seed: int | None = None
    dataset: _Dataset = _Dataset()
    best_development_mae: float | None = None


class _Agreement(BaseModel):
    mae: float | None = None
    rmse: float | None = None
    ccc: float | None = None


class _Metrics(BaseModel):
    """What the listing takes from ``metrics.json``."""

    partition: str | None = None
    videos: _Agreement = _Agreement()


def folders_of_runs(given: Sequence[Path], key: str = "runs") -> Sequence[Path]:
    """The folders that a command's key names.

    Raises:
        UserError: one is not there.
    """
    if missing := [str(folder) for folder in given if not folder.is_dir()]:
        raise UserError(
            f"there is no folder {' and no folder '.join(missing)}",
            where=f"config key {key}",
            fix=f"name folders that runs are in, such as {key}=outputs or {key}=[outputs,multirun]",
        )
    return given


def find_runs(roots: Iterable[Path]) -> Iterator[Path]:
    """All run directories below the folders, which may be run directories themselves.

    Hidden folders, and what lies below a run directory, are not looked into.
    """
    for root in roots:
        for folder, below, files in os.walk(root):
            run = Run(Path(folder))
            if run.record_file.name in files or run.config_file.name in files:
                below.clear()
                yield run.folder
            else:
                below[:] = sorted(name for name in below if not name.startswith("."))


def summaries(folders: Iterable[Path]) -> list[RunSummary]:
    """The runs in these directories, in their order."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(summary_of, folders))


def summary_of(folder: Path) -> RunSummary:
    """The run in a directory. What is wrong with its files is said in the summary."""
    run = Run(folder)
    try:
        record = _Record.model_validate_json(run.record_file.read_bytes())
        is_measured = record.status == "finished" and record.kind != "imported"
        has_metrics = is_measured or run.metrics_file.is_file()
        metrics = _Metrics.model_validate_json(run.metrics_file.read_bytes()) if has_metrics else _Metrics()
    except OSError as error:
        return RunSummary(folder, "damaged", remark=f"{Path(error.filename).name}: {error.strerror}")
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(["record" if error.title == "_Record" else "metrics", *map(str, wrong["loc"])])
        return RunSummary(folder, "damaged", remark=f"{where}: {wrong['msg']}")
    status = _status(record)
    ended = datetime.now(UTC) if status == "running" else record.ended
    return RunSummary(
        folder,
        status,
        experiment=_recipe(record.overrides) or record.name,
        network=record.network,
        corpus=record.dataset.corpus,
        seed=record.seed,
        partition=metrics.partition,
        mae=metrics.videos.mae,
        rmse=metrics.videos.rmse,
        ccc=metrics.videos.ccc,
        development_mae=record.best_development_mae,
        started=record.started,
        duration=None if ended is None else ended - record.started,
        remark=first_line(record.error.removeprefix(f"{UserError.__name__}: ")),
    )


def unfinished(run: Run) -> str | None:
    """How a run has ended otherwise than finished, or that it is under way, in one line; else None."""
    summary = summary_of(run.folder)
    if summary.status == "finished":
        return None
    return ": ".join(filter(None, (summary.status, summary.remark)))


def _status(record: _Record) -> Status:
    dead = record.process is not None and is_dead(record.process.model_dump())
    return "killed" if record.status == "running" and dead else record.status


def _recipe(overrides: Sequence[str]) -> str | None:
    named = [override.removeprefix(_RECIPE) for override in overrides if override.startswith(_RECIPE)]
    return named[-1] if named else None


def in_order(runs: Sequence[RunSummary], key: SortKey) -> list[RunSummary]:
    """Sorted by a column: the newest or best first, or else the smallest; those without a value last."""
    without = [run for run in runs if getattr(run, key) is None]
    others = [run for run in runs if getattr(run, key) is not None]
    others.sort(key=lambda run: getattr(run, key), reverse=key in ("started", "ccc"))
    return [*others, *without]
