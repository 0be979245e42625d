"""What a finished run says of itself, as a row of the results."""

from datetime import datetime

from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from depression_vr.errors import UserError
from depression_vr.experiments.jobs import Job
from depression_vr.experiments.results import Measurement
from depression_vr.runs.provenance import CodeState, code_state
from depression_vr.runs.resume_files import resume_files
from depression_vr.settings import run_fingerprint, settings_fingerprint


class FailedError(Exception):
    """A run left nothing that could be measured."""


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


def can_go_on(job: Job) -> bool:
    """Whether a run of this recipe as it is now, and of this code, was interrupted in the run directory."""
    try:
        was_interrupted = bool(resume_files(job.run.checkpoints)) and not job.run.is_finished
        return was_interrupted and _is_of_job(job) and _is_of_this_code(job)
    except (UserError, OmegaConfBaseException, OSError, LookupError, TypeError, ValueError):
        return False


def _is_of_job(job: Job) -> bool:
    config = job.run.config()
    return settings_fingerprint(config) == job.recipe.settings and config.seed == job.seed


def _is_of_this_code(job: Job) -> bool:
    diff = job.run.diff_file.read_text(encoding="utf-8")
    return code_state() == CodeState(job.run.record()["git_commit"], diff)


def _measured(job: Job) -> Measurement | None:
    run = job.run
    if not all(file.is_file() for file in (run.config_file, run.record_file, run.metrics_file)):
        return None
    config, record = run.config(), run.record()
    if record["status"] != "finished" or not _is_of_job(job):
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
