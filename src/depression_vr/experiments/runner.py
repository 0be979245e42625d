"""Run what is not measured yet: each recipe and seed as a training in a process of its own."""

import csv
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Lock
from typing import TextIO

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from depression_vr.errors import Problem, UserError
from depression_vr.experiments.recipes import Recipe, compose_recipe, quoted
from depression_vr.experiments.results import Measurement
from depression_vr.parallel import cores
from depression_vr.runs.run import Run
from depression_vr.settings import run_fingerprint, settings_fingerprint

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_END = 10.0  # for a training that was told to
_LINES_SHOWN = 8
_DECIDED_HERE = {"seed", "run_dir", "dirpath", "default_root_dir", "logger", "hydra"}


class FailedError(Exception):
    """A run left nothing that could be measured."""


@dataclass(frozen=True)
class Job:
    """A run that is wanted.

    Attributes:
        recipe: what to train.
        seed: with which seed.
        out: folder of all runs, absolute.
        overrides: more of the training's command line.
    """

    recipe: Recipe
    seed: int
    out: Path
    overrides: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.recipe.name} seed {self.seed}"

    @property
    def run(self) -> Run:
        """Its run directory."""
        return Run(self.out / self.recipe.name / f"seed{self.seed}")

    @property
    def log(self) -> Path:
        """What the training printed."""
        return self.out / self.recipe.name / f"seed{self.seed}.log"

    @property
    def command(self) -> list[str]:
        """The training; what decides where its result goes comes last and so wins.

        Overrides that decide it in other words are refused by `refuse_other_settings`.
        """
        folder = f"hydra.run.dir={quoted(str(self.run.folder))}"
        own = (f"seed={self.seed}", folder, "logger=csv")
        return [
            *(sys.executable, "-m", "depression_vr.train"),
            *(*self.recipe.overrides, *self.overrides, *own),
        ]


def refuse_other_settings(recipe: Recipe, overrides: Sequence[str]) -> None:
    """Refuse overrides with which a training would not be one of the recipe, or not one of its job.

    Raises:
        UserError: they change the settings, the seed or where the result goes, or are wrong.
    """
    where = f"config key overrides: {' '.join(overrides)}"
    try:
        changed = settings_fingerprint(compose_recipe(recipe, overrides))
    except UserError as error:
        raise UserError(error.what, where=where, fix=error.fix) from error
    decided = [override for override in overrides if _keys(override) & _DECIDED_HERE]
    if decided:
        raise UserError(
            f"what seed a run has and where its result goes is decided here: {' '.join(decided)}",
            where=where,
            fix="remove it; use seeds=... and out=...",
        )
    if changed != recipe.settings:
        raise UserError(
            f"they change the settings of {recipe.name}: fingerprint {changed}, not {recipe.settings}",
            where=where,
            fix="override what no result depends on, such as data.root; other settings are another recipe",
        )


def _keys(override: str) -> set[str]:
    """Every part of the dotted key, and every key of a mapping that it is set to."""
    parsed = OverridesParser.create().parse_override(override)
    return {*re.split("[./]", parsed.key_or_group), *_keys_of(parsed.value())}


def _keys_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys_of(inner)


def is_present(measurement: Measurement, recipe: Recipe) -> bool:
    """Whether it is of this recipe, with the settings that the recipe has now."""
    return (measurement.recipe, measurement.settings) == (recipe.name, recipe.settings)


def missing_jobs(jobs: Sequence[Job], measurements: Sequence[Measurement]) -> list[Job]:
    """The jobs that have no measurement with the present settings."""
    return [
        job
        for job in jobs
        if not any(is_present(row, job.recipe) and row.seed == job.seed for row in measurements)
    ]


def measured(job: Job) -> Measurement | None:
    """What the job's run directory says; None where no run of this recipe as it is now has finished there.

    Raises:
        FailedError: one has, and its files are damaged or its metrics are no numbers.
    """
    try:
        return _measured(job)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    except (UserError, OmegaConfBaseException, OSError, LookupError, TypeError, ValueError) as error:
        wrong = f"{type(error).__name__}: {error}".splitlines()[0]
    raise FailedError(
        f"the run in {job.run.folder} has nothing to measure: {wrong}; remove it to train it again"
    )


def _measured(job: Job) -> Measurement | None:
    run = job.run
    if not all(file.is_file() for file in (run.config_file, run.record_file, run.metrics_file)):
        return None
    config, record = run.config(), run.record()
    is_of_job = settings_fingerprint(config) == job.recipe.settings and config.seed == job.seed
    if record["status"] != "finished" or not is_of_job:
        return None
    metrics = run.metrics()
    videos, mean = metrics["videos"], metrics["references"]["mean_predictor"]
    started, ended = (datetime.fromisoformat(record[key]) for key in ("started", "ended"))
    return Measurement(
        recipe=job.recipe.name,
        seed=job.seed,
        mae=videos["mae"],
        rmse=videos["rmse"],
        ccc=videos["ccc"],
        mean_predictor_mae=mean["mae"],
        mean_predictor_rmse=mean["rmse"],
        fingerprint=run_fingerprint(config, record["dataset"]["fingerprint"]),
        commit=record["git_commit"],
        dirty=record["git_dirty"],
        minutes=round((ended - started).total_seconds() / 60, 2),
        torch=record["packages"]["torch"],
        threads=record["hardware"]["torch_threads"],
    )


def run_all(jobs: Sequence[Job], add: Callable[[Measurement], None], workers: int) -> list[Problem]:
    """Measure every job, and return what failed. One that fails does not stop the others.

    Runs that have finished already, such as before a kill, are taken as they are. An interrupt ends the
    trainings that are under way; what was added before stays.

    Args:
        jobs: what to run, in this order.
        add: gets each measurement at once.
        workers: trainings side by side, which share the cores.
    """
    to_train: list[Job] = []
    problems: list[Problem] = []
    for job in jobs:
        try:
            finished = measured(job)
        except FailedError as error:
            problems.append(Problem(str(job), str(error)))
            continue
        if finished is None:
            to_train.append(job)
        else:
            add(finished)
    if not to_train:
        return problems
    stop = Event()
    threads = max(cores() // workers, 1)
    with _interrupts(), _Display(len(to_train)) as display, ThreadPoolExecutor(workers) as pool:
        try:
            trainings = {pool.submit(_train, job, threads, display, stop): job for job in to_train}
            for training in as_completed(trainings):
                job = trainings[training]
                try:
                    measurement = training.result()
                except (FailedError, OSError) as error:
                    display.say(f"{job}: failed: {error}")
                    problems.append(Problem(str(job), str(error).splitlines()[0].rstrip(":")))
                else:
                    add(measurement)
                    display.say(f"{job}: MAE {measurement.mae:.2f}, RMSE {measurement.rmse:.2f}")
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return problems


def _train(job: Job, threads: int, display: "_Display", stop: Event) -> Measurement:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with display.showing(str(job)) as show, _locked(job.log) as log:
        finished = measured(job)
        if finished is not None:  # by another process, since it was asked for
            return finished
        log.truncate(0)
        _clear(job.run.folder)
        with _process(job.command, log, threads) as process:
            while process.poll() is None:
                if stop.is_set():
                    raise FailedError("interrupted")
                _wait(process, _SECONDS_BETWEEN_LOOKS)
                show(_epochs_done(job.run), job.recipe.epochs)
    if process.returncode != 0:
        raise FailedError(f"exit code {process.returncode}, log {job.log}:\n{_last_lines(job.log)}")
    measurement = measured(job)
    if measurement is None:
        raise FailedError(
            f"left no finished run with the recipe's settings in {job.run.folder}, log {job.log}"
        )
    return measurement


@contextmanager
def _locked(log: Path) -> Iterator[TextIO]:
    """The log. Its lock is the training's too: it holds while either process lives."""
    with log.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FailedError(f"another process is training it, log {log}") from error
        yield file


def _clear(folder: Path) -> None:
    """Remove an unfinished run, or one with other settings."""
    if not folder.exists() and not folder.is_symlink():
        return
    ours = (folder / ".hydra").is_dir() or Run(folder).record_file.is_file()
    if folder.is_symlink() or not folder.is_dir() or (not ours and any(folder.iterdir())):
        raise FailedError(f"{folder} is in the way and no run directory: move it, or use another `out`")
    shutil.rmtree(folder)


@contextmanager
def _process(command: Sequence[str], log: TextIO, threads: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is ended with the block, and that computes in so many threads.

    In a session of its own, so that Ctrl-C reaches it through us, once and with its workers.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    ) as process:
        try:
            yield process
        except BaseException:
            try:
                process.send_signal(signal.SIGINT)
                _wait(process, _SECONDS_TO_END)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            raise


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


@contextmanager
def _interrupts() -> Iterator[None]:
    """A hang-up or a request to terminate is handled as Ctrl-C is, so that no training stays behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _epochs_done(run: Run) -> int:
    """The epochs that the training has written metrics of."""
    try:
        with (run.folder / "logs" / "metrics.csv").open(newline="", encoding="utf-8") as file:
            return max((int(row["epoch"]) + 1 for row in csv.DictReader(file) if row.get("epoch")), default=0)
    except (OSError, ValueError):  # not there yet, or just being written
        return 0


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in [line for line in lines if line.strip()][-_LINES_SHOWN:])


class _RunsAnHour(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{3600 * task.speed:.1f} runs/h" if task.speed else "")


class _Display:
    """A progress bar on stderr, and lines above it."""

    def __init__(self, runs: int) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), _RunsAnHour(), TimeRemainingColumn())
        self._progress = Progress(
            TextColumn("{task.description}"),
            *columns,
            console=Console(stderr=True),
            speed_estimate_period=float("inf"),
        )
        self._task = self._progress.add_task("", total=runs)
        self._lock = Lock()
        self._ended = 0
        self._epochs: dict[str, tuple[int, int]] = {}  # done and wanted, of the runs under way

    def __enter__(self) -> "_Display":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def showing(self, run: str) -> Iterator[Callable[[int, int], None]]:
        """Show a run that is under way; yields what takes its epochs, done and wanted."""

        def show(done: int, epochs: int) -> None:
            with self._lock:
                self._epochs[run] = (min(done, epochs), epochs)
                self._refresh()

        try:
            yield show
        finally:
            with self._lock:
                self._epochs.pop(run, None)
                self._ended += 1
                self._refresh()

    def _refresh(self) -> None:
        under_way = (f"{run}, epoch {done}/{epochs}" for run, (done, epochs) in self._epochs.items())
        shares = sum(min(done / epochs, 0.99) for done, epochs in self._epochs.values())
        self._progress.update(self._task, description="\n".join(under_way), completed=self._ended + shares)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, soft_wrap=True, highlight=False, markup=False)
