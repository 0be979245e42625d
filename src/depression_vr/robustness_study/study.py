"""The folder of a robustness study: what is finished stays, and what it was made with is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from depression_vr.data.contents import frame_contents
from depression_vr.errors import Problem, UserError
from depression_vr.face_places import face_places
from depression_vr.files import write_csv, write_json
from depression_vr.made_with import made_with
from depression_vr.parallel import Bar, Tick, do_all
from depression_vr.robustness_study.conditions import Condition
from depression_vr.robustness_study.opening import StudiedRun
from depression_vr.robustness_study.scoring import score_degraded
from depression_vr.runs.bands import NO_DIAGNOSIS
from depression_vr.runs.predictions import read_predictions
from depression_vr.settings import changed

_MOST_NAMED = 5
_FINITE = ("label", "estimate", "substituted_frames")


class _Made(BaseModel):
    """What predictions were made with; they belong together whose settings are the same."""

    model_config = ConfigDict(extra="allow")

    settings: dict[str, str]


class _Facts(BaseModel):
    """What this module takes from ``robustness.json``."""

    runs: dict[str, _Made]


@dataclass(frozen=True)
class Study:
    """A folder of predictions of runs under conditions.

    Attributes:
        folder: where they are.
        runs: under study.
        conditions: the first is of clean frames.
        face: where it lies in the frames, as the user has it; None where the corpus says.
        seed: of everything random.
    """

    folder: Path
    runs: Sequence[StudiedRun]
    conditions: Sequence[Condition]
    face: Sequence[Sequence[float]] | None
    seed: int

    @property
    def facts_file(self) -> Path:
        """What the predictions were made with, JSON."""
        return self.folder / "robustness.json"

    def predictions_file(self, run: StudiedRun, condition: Condition) -> Path:
        """One row per video, CSV."""
        return self.folder / "predictions" / run.key / condition.file

    def begin(self) -> None:
        """Write down what the predictions are made with; for that the frames are read once.

        Raises:
            UserError: the folder holds predictions that were made with other settings, of other frames or by
                other code, or nobody knows how; or two runs of one name and with the same weights have
                different settings.
        """
        before = self._facts_before()
        facts: dict[str, dict[str, Any]] = {}
        problems = []
        for run in self.runs:
            facts_of_run = self._facts(run)
            if run.key in facts:  # a copy, which shares the predictions
                known: Mapping[str, str] | None = facts[run.key]["settings"]
            elif run.key in before:
                known = before[run.key]["settings"]
            else:
                known = None
                self._refuse_predictions_of_unknown(run)
            if known is not None:
                problems += [
                    Problem(run.label, f"{key} was {was}, and is {now}")
                    for key, was, now in changed(known, facts_of_run["settings"])
                ]
            facts[run.key] = facts_of_run
        if problems:
            raise UserError(
                "what is there was made otherwise:",
                problems=problems[:_MOST_NAMED],
                where=str(self.folder),
                fix="go on as it was begun, or write to another folder with hydra.run.dir=FOLDER",
            )
        write_json(self.facts_file, {"note": NO_DIAGNOSIS, "runs": before | facts})

    def _facts(self, run: StudiedRun) -> dict[str, Any]:
        trained = run.trained
        manifest = trained.datamodule.manifest
        frames = frame_contents(manifest, manifest.rows(trained.datamodule.evaluate_on))
        also = ("degradation", "robustness_study/conditions.py", "robustness_study/scoring.py")
        return {
            "folder": str(trained.run.folder.absolute()),
            "checkpoint": str(trained.checkpoint.absolute()),
            "corpus": manifest.corpus,
            "partition": trained.datamodule.evaluate_on,
            "mean_predictor": run.mean_predictor,
            "settings": made_with(trained, *also, frames=frames)
            | {"face": str(self._places(run).tolist()), "seed": str(self.seed)},
        }

    def _places(self, run: StudiedRun) -> np.ndarray:
        return face_places(self.face, run.trained.datamodule.manifest.corpus)

    def _facts_before(self) -> dict[str, Any]:
        if not self.facts_file.exists():
            return {}
        try:
            facts = _Facts.model_validate_json(self.facts_file.read_bytes())
        except ValidationError as error:
            wrong = error.errors()[0]
            where = ".".join(map(str, wrong["loc"]))
            raise UserError(
                f"this file is damaged: {where}: {wrong['msg']}" if where else "this file is damaged",
                where=str(self.facts_file),
                fix="write to another folder with hydra.run.dir=FOLDER",
            ) from error
        return {key: made.model_dump() for key, made in facts.runs.items()}

    def _refuse_predictions_of_unknown(self, run: StudiedRun) -> None:
        folder = self.folder / "predictions" / run.key
        if any(folder.glob("*.csv")):
            raise UserError(
                f"there are predictions, and {self.facts_file.name} does not say what they were made with",
                where=str(folder),
                fix="delete them, or write to another folder with hydra.run.dir=FOLDER",
            )

    def score(self) -> None:
        """Score what is not there yet, with a progress bar over all of it.

        Raises:
            UserError: a frame cannot be read, or an estimate is no finite number.
        """
        missing = {
            file: (run, condition)
            for run in self.runs
            for condition in self.conditions
            if not (file := self.predictions_file(run, condition)).exists()
        }
        bar = Bar("scoring", "windows", sum(run.windows for run, _ in missing.values()))
        if missing:
            do_all(self._score, [*missing.values()], workers=1, ticks=bar)

    def _score(self, job: tuple[StudiedRun, Condition], tick: Tick) -> None:
        run, condition = job
        degradation = condition.made(self._places(run))
        videos = score_degraded(run.trained, degradation, seed=self.seed, tick=tick)
        unusable = videos.loc[~np.isfinite(videos["estimate"]), "video_id"]
        if len(unusable):
            raise UserError(
                f"the network gives no finite estimate of {len(unusable)} videos, such as {unusable.iloc[0]}",
                where=f"run {run.trained.run.folder}, {condition}",
                fix="use precision=32-true if it is another; if that is the same, its weights are unusable",
            )
        write_csv(self.predictions_file(run, condition), videos.assign(note=NO_DIAGNOSIS))

    def predictions(self, run: StudiedRun) -> dict[Condition, pd.DataFrame]:
        """Those of a run, which are all there.

        Raises:
            UserError: a file is damaged.
        """
        return {
            condition: read_predictions(
                self.predictions_file(run, condition), _FINITE, "delete it to have it made anew"
            )
            for condition in self.conditions
        }
