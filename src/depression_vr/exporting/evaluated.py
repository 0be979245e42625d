"""Which evaluation counts for exported weights, and what it has measured."""

from dataclasses import asdict
from typing import Any

from pydantic.dataclasses import dataclass

from depression_vr.comparison.agreement import METRICS, metrics_from_sums, subject_sums
from depression_vr.comparison.intervals import bootstrap_intervals
from depression_vr.errors import UserError
from depression_vr.keys import APath, keys_of
from depression_vr.runs.run import Run, open_run
from depression_vr.taking_over import CLIP_KEYS
from depression_vr.trained import TrainedNetwork

_RESAMPLES = 9999


@dataclass(frozen=True)
class _Keys:
    evaluation: APath | None


def evaluation_facts(trained: TrainedNetwork) -> dict[str, Any] | None:
    """Metrics with intervals, of these weights on clips that are cut and seen as the card says.

    Those of the evaluation that the command names; without one those that the run was trained to, or None if
    other weights or clips are exported.

    Raises:
        UserError: the evaluation that is named is of other weights or other clips, or damaged.
    """
    evaluation = keys_of(trained.config, _Keys).evaluation
    if evaluation is not None:
        evaluated = open_run(evaluation)
        _refuse_other_weights(evaluated, trained)
        _refuse_other_clips(evaluated, trained)
        return _measured(evaluated)
    if trained.config.ckpt is not None or not trained.run.metrics_file.is_file():
        return None
    return None if _other_clip_keys(trained.run, trained) else _measured(trained.run)


def _other_clip_keys(evaluated: Run, trained: TrainedNetwork) -> list[str]:
    wanted, recorded = trained.config.data, evaluated.config().data
    return [key for key in CLIP_KEYS if wanted[key] != recorded.get(key, wanted[key])]


def _refuse_other_clips(evaluated: Run, trained: TrainedNetwork) -> None:
    keys = _other_clip_keys(evaluated, trained)
    if keys:
        raise UserError(
            "this is an evaluation on other clips than are exported for",
            where=f"config key evaluation: {evaluated.folder}; {', '.join(f'data.{key}' for key in keys)}",
            fix="leave those keys out, or evaluate with them first",
        )


def _refuse_other_weights(evaluated: Run, trained: TrainedNetwork) -> None:
    if evaluated.record().get("checkpoint_sha256") != trained.checkpoint_digest:
        raise UserError(
            "this is no evaluation of these weights",
            where=f"config key evaluation: {evaluated.folder}",
            fix="name the directory that `python -m depression_vr.evaluate run=RUN_DIR` printed for it, or "
            "evaluate again: the weights, or the version that evaluated them, may be others now",
        )


def _measured(evaluated: Run) -> dict[str, Any]:
    metrics = evaluated.metrics()
    videos = evaluated.predictions()
    sums = subject_sums(videos)
    intervals = bootstrap_intervals(sums, metrics_from_sums, _RESAMPLES)
    values = metrics_from_sums(sums.sum(axis=-1)).tolist()
    return {
        "corpus": metrics["corpus"],
        "partition": metrics["partition"],
        "videos": len(videos),
        "subjects": sums.shape[-1],
        "metrics": {
            name: {"value": value, **asdict(interval)}
            for name, value, interval in zip(METRICS, values, intervals, strict=True)
        },
        "references": {name: row["mae"] for name, row in metrics.get("references", {}).items()},
        "prediction_intervals": metrics.get("intervals"),
        "subject_overlap": evaluated.record().get("dataset", {}).get("subject_overlap"),
    }
