"""Test trained networks on degraded frames: noise, blur, compression, occlusion, lost frames, bad crops.

``python -m depression_vr.robustness run=RUN_DIR``
``python -m depression_vr.robustness run=[RUN_DIR,RUN_DIR] degradations=[noise,blur]``
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pydantic import ConfigDict, Field, NonNegativeInt
from pydantic.dataclasses import dataclass

import depression_vr.quick_imports  # noqa: F401
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.files import write_csv
from depression_vr.keys import A_LIST, keys_of
from depression_vr.robustness_study.conditions import conditions_of
from depression_vr.robustness_study.console import print_study
from depression_vr.robustness_study.figure import draw_study, write_figure
from depression_vr.robustness_study.measures import measured
from depression_vr.robustness_study.opening import open_runs
from depression_vr.robustness_study.study import Study
from depression_vr.runs.run import Run


@dataclass(frozen=True, config=ConfigDict(coerce_numbers_to_str=True))
class _Keys:
    """The keys of ``conf/robustness.yaml`` that are its own; a list of one may be without brackets."""

    run: Annotated[list[str], A_LIST, Field(min_length=1)]
    degradations: Annotated[list[str] | None, A_LIST]
    levels: dict[str, Annotated[list[float], A_LIST]]
    face: Annotated[list[tuple[float, float]], Field(min_length=3, max_length=3)] | None
    resamples: Annotated[int, Field(ge=999, le=1_000_000)]
    seed: NonNegativeInt


@entry_point("robustness", goes_on=True)
def main(config: DictConfig) -> None:
    """Score, measure, write table and figure."""
    keys = keys_of(config, _Keys)
    folder = Path(config.run_dir)
    if Run(folder).config_file.exists():
        raise UserError(
            "the study would be written into a run directory",
            where=f"config key hydra.run.dir: {folder}",
            fix="name another folder, or leave it out",
        )
    conditions = conditions_of(keys.degradations, keys.levels)
    overrides = list(HydraConfig.get().overrides.task)
    runs = open_runs(keys.run, config, overrides)
    study = Study(folder, runs, conditions, keys.face, keys.seed)
    study.begin()
    study.score()
    table = _table(study, keys.resamples)
    written = [folder / f"robustness.{suffix}" for suffix in ("csv", "png", "pdf")]
    write_csv(written[0], table)
    references = {run.label: run.mean_predictor["mae"] for run in runs if run.mean_predictor}
    write_figure(draw_study(table, references), written[1:])
    print_study(table, written)


def _table(study: Study, resamples: int) -> pd.DataFrame:
    """A row per run and condition: what `measured` gives, and the file that it is measured on."""
    rows = []
    for run in study.runs:
        measures = measured(study.conditions, study.predictions(run), resamples)
        for condition, measure in zip(study.conditions, measures, strict=True):
            file = study.predictions_file(run, condition).relative_to(study.folder)
            rows.append({"run": run.label, **measure, "predictions": file.as_posix()})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
