"""Run what is not measured yet: each recipe and seed as a training in a process of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event

from depression_vr.callbacks.stopping import interrupts
from depression_vr.errors import Problem
from depression_vr.experiments.display import Display, epochs_done
from depression_vr.experiments.jobs import Job
from depression_vr.experiments.measuring import FailedError, can_go_on, measured
from depression_vr.experiments.processes import (
    clear,
    last_lines,
    locked_log,
    training_process,
    wait,
)
from depression_vr.experiments.results import Measurement
from depression_vr.parallel import cores

_SECONDS_BETWEEN_LOOKS = 1.0


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
    with interrupts(), Display(len(to_train)) as display, ThreadPoolExecutor(workers) as pool:
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


def _train(job: Job, threads: int, display: Display, stop: Event) -> Measurement:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with display.showing(str(job)) as show, locked_log(job.log) as log:
        finished = measured(job)
        if finished is not None:  # by another process, since it was asked for
            return finished
        if not can_go_on(job):
            log.truncate(0)
            clear(job.run.folder)
        with training_process(job.command, log, threads) as process:
            while process.poll() is None:
                if stop.is_set():
                    raise FailedError("interrupted")
                wait(process, _SECONDS_BETWEEN_LOOKS)
                show(epochs_done(job.run), job.recipe.epochs)
    if process.returncode != 0:
        raise FailedError(f"exit code {process.returncode}, log {job.log}:\n{last_lines(job.log)}")
    measurement = measured(job)
    if measurement is None:
        raise FailedError(
            f"left no finished run with the recipe's settings in {job.run.folder}, log {job.log}"
        )
    return measurement
