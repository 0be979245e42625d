"""One video: whether it can be judged, its score, and its page."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from depression_vr.data.clips import ClipShape, evaluation_windows
from depression_vr.faces.output import QUALITY
from depression_vr.faces.recorded import RecordedPreprocessing
from depression_vr.intervals.applied import Intervals
from depression_vr.intervals.networks import weights_digest
from depression_vr.made_with import made_with
from depression_vr.parallel import Tick
from depression_vr.predicting.declining import Check, Limits, checks, other_settings, unchecked
from depression_vr.predicting.inputs import ReadyVideo
from depression_vr.predicting.pages import write_video_page
from depression_vr.predicting.pictures import Pictures
from depression_vr.predicting.results import (
    Estimate,
    Prediction,
    WindowScore,
    finished_prediction,
    write_prediction,
)
from depression_vr.runs.bands import BDI_MAXIMUM, severity_band
from depression_vr.runs.results import spread
from depression_vr.trained import TrainedNetwork

_SEVERAL = 0.05  # of the frames; fewer can be false detections


@dataclass(frozen=True, eq=False)
class Scoring:
    """Everything that the videos of a call have in common.

    Attributes:
        trained: the network.
        intervals: what there is to be had around its scores.
        recorded: of the training's frames.
        limits: when a video is declined.
        by_hand: whether the frames were made here, with other settings than are recorded.
        out: the folder of all outputs.
        pictures: of the face on pages; None for none.
    """

    trained: TrainedNetwork
    intervals: Intervals
    recorded: RecordedPreprocessing | None
    limits: Limits
    by_hand: bool
    out: Path
    pictures: Pictures | None

    @cached_property
    def shape(self) -> ClipShape:
        """Of the network's clips."""
        return self.trained.datamodule.shape

    @cached_property
    def interval_facts(self) -> dict[str, Any]:
        """What there is around the estimates, or why there is nothing, and what one has to know of it."""
        calibration, confidence = self.intervals.calibration, self.intervals.confidence
        remarks = [] if calibration is None else list(calibration.remarks(confidence))
        return {"confidence": confidence, "reason": self.intervals.reason, "remarks": remarks}

    def windows(self, video: ReadyVideo) -> int:
        """How many windows a video has."""
        if not len(video.frames):
            return 0
        return len(evaluation_windows(np.zeros(1, int), np.array([len(video.frames)]), self.shape))

    def predict(self, video: ReadyVideo, tick: Tick) -> Prediction:
        """Predict for a video and write its page, unless an earlier call has finished just that.

        Raises:
            UserError: a frame cannot be read.
            OSError: nothing can be written.
        """
        made_from = self._made_from(video)
        finished = finished_prediction(self.out, video.video_id, made_from)
        prediction = self._predicted(video, tick) if finished is None else finished
        if finished is not None or prediction.estimate is None:
            for _ in range(self.windows(video)):
                tick()
        if finished is not None:
            return finished
        shown, method = [], None
        if self.pictures is not None and prediction.estimate is not None:
            shown, method = self.pictures.of(self.trained, video), self.pictures.method
        write_video_page(self.out, prediction, video, shown, method)
        write_prediction(self.out, prediction, made_from)
        return prediction

    def _predicted(self, video: ReadyVideo, tick: Tick) -> Prediction:
        usable = len(video.frames)
        found = self._checks(video, usable)
        reasons = [str(check) for check in found if not check.passed]
        differing = other_settings(video, self.recorded)
        if differing and not self.by_hand and self.limits.other_settings:
            reasons += [f"made with other settings than the training's frames: {each}" for each in differing]
        estimate = None
        if not reasons:
            estimate, substituted = self._estimate(video, differing, tick)
            usable -= substituted
            found = self._checks(video, usable)
            reasons = [str(check) for check in found if not check.passed]
        return Prediction(
            video_id=video.video_id,
            source=str(video.source),
            status="declined" if reasons else "scored",
            reasons=tuple(reasons),
            notes=tuple(self._notes(video, differing, len(video.frames) - usable)),
            usable_frames=usable,
            checks=found,
            estimate=None if reasons else estimate,
        )

    def _checks(self, video: ReadyVideo, usable: int) -> tuple[Check, ...]:
        return tuple(checks(video, usable, self.shape, self.recorded, self.limits))

    def _estimate(self, video: ReadyVideo, differing: Sequence[str], tick: Tick) -> tuple[Estimate, int]:
        """The estimate, and how many frames could not be read and were replaced by their neighbours."""
        scores = self.trained.window_scores(video.frames, tick)
        score, spread_of_windows = float(scores["estimate"].mean()), spread(scores["estimate"])
        applied = self.intervals
        if differing and applied.calibration is not None:
            reason = "the frames were made with other settings than the training's, where no interval holds"
            applied = Intervals(applied.confidence, None, reason)
        ends = applied.columns(np.array([score]), np.array([spread_of_windows]))
        estimate = Estimate(
            score=score,
            band=str(severity_band(pd.Series([score]))[0]) if self.maximum == BDI_MAXIMUM else None,
            spread=spread_of_windows,
            confidence=applied.confidence if applied.calibration is not None else None,
            **{
                name: float(ends[name].iloc[0]) if name in ends else None
                for name in ("low", "high", "low_normalised", "high_normalised")
            },
            interval_note=applied.reason or self._doubt(video),
            windows=tuple(_window_scores(scores, video)),
        )
        return estimate, len(set().union(*scores["substituted"]))

    def _doubt(self, video: ReadyVideo) -> str | None:
        """Why an interval may not hold, where that is not known."""
        whose = None
        if video.summary is None:
            whose = "the frames were"
        elif self.recorded is None or self.recorded.settings is None:
            whose = "the training's frames were"
        if whose is None:
            return None
        return f"whether the interval holds is not known, as it is not known how {whose} made"

    def _notes(self, video: ReadyVideo, differing: Sequence[str], substituted: int) -> Iterator[str]:
        if substituted:
            yield (
                f"{substituted} of {len(video.frames)} frames could not be read and were replaced by their "
                "nearest readable ones"
            )
        if missing := unchecked(video, self.recorded):
            yield (
                "an earlier version of `preprocess` made the frames and did not measure, so that it is not "
                f"checked: {', '.join(missing)}"
            )
        if video.summary is not None and (several := video.summary.get("several_faces_rate", 0)) > _SEVERAL:
            yield (
                f"{several:.0%} of the frames show several faces: the estimate is for the one that was "
                "followed, whoever that is"
            )
        if video.summary is None:
            yield "how good the frames are is not known: they came without the summary of `preprocess`"
        elif self.recorded is None or self.recorded.settings is None:
            yield "how good the frames were that the network was trained on is not known"
        if self.by_hand:
            yield "the frames were made with settings that were given by hand, not recorded with the run"
        if differing:
            yield f"and are otherwise than the training's: {'; '.join(differing)}"
        yield from filter(None, (self.intervals.reason, *self.interval_facts["remarks"]))

    def _made_from(self, video: ReadyVideo) -> dict[str, Any]:
        """What decides the prediction; not all that decides how its page looks, which other pages share."""
        return {**self._made_with, "frames": _state(video)}

    @cached_property
    def weights(self) -> str:
        """Digest of the network's weights."""
        return weights_digest(self.trained.module)

    @cached_property
    def maximum(self) -> float:
        """Highest score of the scale."""
        return float(OmegaConf.select(self.trained.config, "data.maximum", default=BDI_MAXIMUM))

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        return {
            **made_with(self.trained, "explaining", "intervals", "predicting"),
            "limits": asdict(self.limits),
            "training": None if self.recorded is None else self.recorded.as_dict(),
            "by_hand": self.by_hand,
            "intervals": self.interval_facts,
            "calibration": self.intervals.calibration and self.intervals.calibration.digest,
            "pictures": None if self.pictures is None else asdict(self.pictures),
        }


def _window_scores(scores: pd.DataFrame, video: ReadyVideo) -> Iterator[WindowScore]:
    times = video.times()
    for window, first, last, estimate, _ in scores.itertuples(index=False):
        begins, ends = (None, None) if times is None else (float(times[first]), float(times[last]))
        yield WindowScore(int(window), int(first), int(last), begins, ends, float(estimate))


def _state(video: ReadyVideo) -> str:
    """Digest of the summary, and of the names, sizes and times of the files of frames and their quality."""
    digest = hashlib.sha256(json.dumps(video.summary, sort_keys=True).encode())
    quality = video.frames.path / QUALITY
    for path in (*video.frames.files, *([quality] if quality.is_file() else [])):
        file = path.stat()
        digest.update(b"%s\0%d\0%d\0" % (os.fsencode(path.name), file.st_size, file.st_mtime_ns))
    return digest.hexdigest()
