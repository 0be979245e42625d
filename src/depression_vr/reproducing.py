"""Training a recorded run again, and saying whether the same comes out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import torch
from omegaconf import DictConfig
from pydantic import ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr import assembly
from depression_vr.data.contents import frame_contents
from depression_vr.data.manifest import PARTITIONS
from depression_vr.distributed.processes import leads
from depression_vr.errors import UserError
from depression_vr.keys import APath
from depression_vr.runs import provenance
from depression_vr.runs.relocation import relocated
from depression_vr.runs.reproduction.conditions import (
    Conditions,
    Dataset,
    differences,
    recorded_conditions,
)
from depression_vr.runs.reproduction.report import Report
from depression_vr.runs.reproduction.results import Results, compare_results
from depression_vr.runs.run import Run, open_run
from depression_vr.training import train

_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, config=ConfigDict(coerce_numbers_to_str=True))
class Place:
    """Where the corpus lies here, and who reads it; None for as recorded."""

    root: str | None
    image_root: str | None
    table: str | None
    num_workers: NonNegativeInt | None


@dataclass(frozen=True)
class Wanted:
    """The keys of ``conf/reproduce.yaml``."""

    run_dir: APath
    run: APath | None
    tolerance: NonNegativeFloat
    threads: PositiveInt | None
    check_only: bool
    data: Place


def reproduce(wanted: Wanted) -> Report:
    """Compare what a run was made with to what there is here, train it again and compare the results.

    Both comparisons are printed, and written to the new run's directory.

    Raises:
        UserError: there is no finished run, its files are damaged, or it cannot be trained here.
    """
    if wanted.run is None:
        raise UserError("nothing to reproduce", where="config key run", fix="give run=RUN_DIR")
    original = open_run(wanted.run.absolute())
    recorded, results = recorded_conditions(original), Results.of(original)
    run = Run(wanted.run_dir.absolute())
    config = _config_here(original, run, wanted.data)
    overrides = original.record().get("overrides", [])
    with _threads(wanted.threads or recorded.hardware.get("torch_threads")) as remarks:
        if not leads(config):  # another process of the same training has compared, and will
            train(config, run, overrides)
            return Report(original, [], [], wanted.tolerance)
        _refuse_used(run)
        if recorded.frames is None:
            remarks.append("the contents of frames were not recorded, and are not compared")
        found = differences(
            recorded, _conditions_here(config, original, with_frames=recorded.frames is not None)
        )
        report = Report(original, found, remarks, wanted.tolerance)
        report.write(run)
        print(report.conditions(), flush=True)
        if wanted.check_only:
            return report
        train(config, run, overrides)
    comparison = compare_results(results, Results.of(run), wanted.tolerance)
    report = replace(report, comparison=comparison)
    report.write(run)
    print(report.results(comparison))
    print(f"run: {run.folder}")
    return report


def _config_here(original: Run, run: Run, place: Place) -> DictConfig:
    """The recorded config, with the new run directory, and the corpus where it lies here."""
    config = relocated(original.config(), run.folder)
    for key, value in asdict(place).items():
        if value is None:
            continue
        if key not in config.data:
            raise UserError(
                f"the corpus {config.data.get('corpus')} has no {key}",
                where=f"config key data.{key}",
                fix="leave it out",
            )
        config.data[key] = value
    return assembly.with_absolute_paths(config)


def _conditions_here(config: DictConfig, original: Run, *, with_frames: bool) -> Conditions:
    manifest = assembly.build_datamodule(config).manifest
    code = provenance.code_state()
    return Conditions(
        seed=config.seed,
        config_digest=original.config_digest(),
        git_commit=code.commit,
        git_diff=code.diff,
        packages=provenance.packages(),
        hardware=provenance.hardware(),
        dataset=Dataset(
            fingerprint=manifest.fingerprint,
            videos={partition: len(manifest.rows(partition)) for partition in PARTITIONS},
        ),
        frames=frame_contents(manifest) if with_frames else None,
    )


def _refuse_used(run: Run) -> None:
    if run.record_file.exists():
        raise UserError(
            "there is a run in the folder that the new one would be written to",
            where=str(run.folder),
            fix="name a new folder with hydra.run.dir=FOLDER, or leave it out",
        )


@contextmanager
def _threads(wanted: int | None) -> Iterator[list[str]]:
    """Let torch compute in so many threads; yields what is to be said about it."""
    before = torch.get_num_threads()
    if wanted is None or wanted == before:
        yield []
        return
    torch.set_num_threads(wanted)
    variable = os.environ.get(_THREADS)
    os.environ[_THREADS] = str(wanted)  # else Lightning chooses, where there are several processes
    try:
        yield [f"torch threads for this training: {wanted}; here they would be {before}"]
    finally:
        torch.set_num_threads(before)
        os.environ.pop(_THREADS)
        if variable is not None:
            os.environ[_THREADS] = variable
