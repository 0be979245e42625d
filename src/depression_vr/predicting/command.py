"""What ``predict`` does: preprocesses what is raw, scores it, and writes tables and pages."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.building import build
from depression_vr.data.videos import RawVideo
from depression_vr.errors import UserError
from depression_vr.faces.corpus import preprocess_videos
from depression_vr.faces.output import Output
from depression_vr.faces.recorded import RecordedPreprocessing
from depression_vr.intervals.networks import intervals_for
from depression_vr.keys import APath, Confidence, keys_of
from depression_vr.parallel import Bar, run_jobs
from depression_vr.predicting.console import print_predictions
from depression_vr.predicting.inputs import FACES, ReadyVideo, found_inputs
from depression_vr.predicting.pages import write_index
from depression_vr.predicting.preprocessing import (
    ChosenPreprocessing,
    chosen_preprocessing,
    settings_of_frames,
    trained_on,
    warn_of_other_packages,
)
from depression_vr.predicting.results import Prediction, write_predictions
from depression_vr.predicting.scoring import Scoring
from depression_vr.runs.listing import unfinished
from depression_vr.runs.run import open_run
from depression_vr.trained import TrainedNetwork, open_trained


@dataclass(frozen=True)
class _Keys:
    run: APath
    workers: PositiveInt | None
    confidence: Confidence


def predict(config: DictConfig, overrides: Sequence[str], out: Path) -> bool:
    """Predict for everything that ``config.input`` names.

    Args:
        config: ``conf/predict.yaml``, composed.
        overrides: of the command line.
        out: the folder to write to; what an earlier call has finished in it stays.

    Returns:
        Whether a video could not be used.

    Raises:
        UserError: there is nothing to predict for, or something is missing that every video needs.
        pydantic.ValidationError: a setting is refused.
    """
    keys = keys_of(config, _Keys)
    limits, report = build(config.decline), build(config.report)
    recorded = trained_on(open_run(keys.run))
    inputs = found_inputs(_input(config), out)
    raw = [video for video in inputs if isinstance(video, RawVideo)]
    trained = open_trained(config, overrides)
    chosen = chosen_preprocessing(config, overrides, recorded) if raw else None
    scoring = Scoring(
        trained=trained,
        intervals=intervals_for(trained.run, trained.module, trained.datamodule, keys.confidence),
        recorded=recorded,
        limits=limits,
        by_hand=chosen is not None and chosen.origin == "given by hand",
        out=out,
        pictures=report.of(trained.module.network),
    )
    ready = [video for video in inputs if isinstance(video, ReadyVideo)]
    unusable: list[Prediction] = []
    if chosen is not None:
        if recorded is not None and chosen.origin == "recorded":
            warn_of_other_packages(recorded)
        ready, unusable = _preprocessed(raw, chosen, out, keys.workers)
    predictions = [*_scored(scoring, ready), *unusable]
    predictions.sort(key=lambda prediction: prediction.video_id)
    facts = _facts(trained, scoring, chosen, recorded)
    write_predictions(out, predictions, facts)
    index = write_index(out, predictions, facts)
    print_predictions(predictions, index)
    return any(prediction.status == "failed" for prediction in predictions)


def _input(config: DictConfig) -> Path:
    """What the command line names; else the key holds what the network takes in."""
    if OmegaConf.is_config(config.input) or config.input in (None, ""):
        raise UserError(
            "nothing is named to predict for",
            where="config key input",
            fix="name a video, a folder of videos, or a folder of frames: input=FILE_OR_FOLDER",
        )
    return Path(str(config.input))


def _preprocessed(
    videos: Sequence[RawVideo], chosen: ChosenPreprocessing, out: Path, workers: int | None
) -> tuple[list[ReadyVideo], list[Prediction]]:
    """The videos whose frames could be made, and what is said of the others."""
    output = Output(out / FACES)
    try:
        outcome = preprocess_videos(videos, chosen.settings, output, workers=workers)
    except UserError as error:
        if error.where == str(output.root):  # what to do there is told in keys of `preprocess`
            error.fix = "name another output folder: hydra.run.dir=FOLDER"
        raise
    ready = [
        ReadyVideo.of(video.video_id, video.path, output.folder(video))
        for video in (*outcome.done, *outcome.kept)
    ]
    unusable = [
        Prediction(
            video.video_id,
            str(video.path),
            "declined" if video in outcome.faceless else "failed",
            (_in_one_line(reason),),
        )
        for video, reason in outcome.failures
    ]
    return ready, unusable


def _scored(scoring: Scoring, videos: Sequence[ReadyVideo]) -> Iterator[Prediction]:
    windows = sum(map(scoring.windows, videos))
    jobs = run_jobs(scoring.predict, videos, workers=1, ticks=Bar("Windows", "windows", windows))
    with scoring.trained.evaluating(), closing(jobs) as ended:
        for end in ended:
            if end.result is not None:
                yield end.result
            elif isinstance(end.error, UserError):
                reason = _in_one_line(f"{end.error.what}: {end.error.where}")
                yield Prediction(end.job.video_id, str(end.job.source), "failed", (reason,))
            elif end.error is not None:
                raise end.error


def _in_one_line(reason: str) -> str:
    return "; ".join(line.strip() for line in reason.splitlines())


def _facts(
    trained: TrainedNetwork,
    scoring: Scoring,
    chosen: ChosenPreprocessing | None,
    recorded: RecordedPreprocessing | None,
) -> dict[str, Any]:
    """What all predictions of a call have in common."""
    return {
        "run": str(trained.run.folder.absolute()),
        "unfinished": unfinished(trained.run),
        "network": trained.config.network,
        "checkpoint": str(trained.checkpoint),
        "weights": scoring.weights,
        "precision": trained.config.precision,
        "preprocessing": {
            "origin": "ready frames" if chosen is None else chosen.origin,
            "settings": None if chosen is None else settings_of_frames(chosen.settings),
            "otherwise_than_recorded": [] if chosen is None else list(chosen.differing),
            "training": None if recorded is None else recorded.settings,
        },
        "intervals": scoring.interval_facts,
    }
