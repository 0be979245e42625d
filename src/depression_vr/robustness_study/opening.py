"""Opens the runs that a study is of."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from depression_vr.comparison.manifests import Tested, different_videos
from depression_vr.errors import UserError
from depression_vr.importing import NO_CORPUS
from depression_vr.runs.listing import find_runs, summary_of
from depression_vr.runs.results import reference_summary
from depression_vr.runs.run import Run
from depression_vr.trained import TrainedNetwork, open_trained

log = logging.getLogger(__name__)

_NOT_IN_NAMES = re.compile(r"[^\w+=-]+")
_LONGEST_NAME = 80
_DIGITS = 8


@dataclass(frozen=True)
class StudiedRun:
    """A run under study.

    Attributes:
        label: is shown; no other run of the study has it.
        trained: the network.
    """

    label: str
    trained: TrainedNetwork

    @property
    def key(self) -> str:
        """Names the folder of its predictions, whatever other runs there are: name and digest of weights."""
        # in lower case: not every file system tells capitals apart
        name = _NOT_IN_NAMES.sub("_", _name(self.trained)).lower()[:_LONGEST_NAME]
        return f"{name}_{self.trained.checkpoint_digest[:_DIGITS]}"

    @cached_property
    def videos(self) -> pd.DataFrame:
        """Rows of the manifest that are evaluated."""
        datamodule = self.trained.datamodule
        manifest = datamodule.manifest
        return manifest.table.iloc[manifest.rows(datamodule.evaluate_on)]

    @cached_property
    def windows(self) -> int:
        """How many there are."""
        return len(self.trained.datamodule.windows(self.trained.datamodule.evaluate_on))

    @cached_property
    def mean_predictor(self) -> dict[str, float] | None:
        """Agreement of the mean of the training labels with the labels; None where nothing is trained on."""
        manifest = self.trained.datamodule.manifest
        labels = manifest.table.loc[manifest.table["partition"] == "training", "label"]
        if labels.empty:
            return None
        references = reference_summary(self.videos, self.videos[["video_id"]], labels.mean())
        return references["mean_predictor"]


def open_runs(given: Sequence[str], config: DictConfig, overrides: Sequence[str]) -> list[StudiedRun]:
    """Open all runs, each with its best checkpoint, and see that they are tested on the same videos.

    Args:
        given: run directories, or folders with finished runs at any depth.
        config: of the command, with the keys of ``conf/trained.yaml``.
        overrides: of the command line.

    Raises:
        UserError: something is no run or does not fit; or they are tested on different videos.
    """
    has_corpus = any(override.lstrip("+").startswith("data=") for override in overrides)
    folders = _folders(given, has_corpus)
    if len(folders) > 1 and config.ckpt is not None:
        raise UserError(
            f"{len(folders)} runs cannot share a checkpoint",
            where="config keys run and ckpt",
            fix="leave ckpt out: every run has its own",
        )
    opened = [_open(folder, config, overrides) for folder in folders]
    runs = [StudiedRun(label, trained) for label, trained in zip(_labels(opened), opened, strict=True)]
    problems = [*different_videos([Tested([run.trained.run.folder], run.videos) for run in runs])]
    if problems:
        raise UserError(
            "the runs are tested on different videos:",
            problems=problems,
            where="config key run",
            fix="study them apart, or name one corpus for all of them, such as data=csv data.table=FILE",
        )
    return runs


def _folders(given: Sequence[str], has_corpus: bool) -> list[Path]:
    folders: dict[Path, Path] = {}
    for name in given:
        folder = Path(name).expanduser()
        if Run(folder).config_file.is_file():
            found = [folder]
        elif folder.is_dir():
            found = [run for run in find_runs([folder]) if _can_be_studied(run, has_corpus)]
        else:
            found = []
        if not found:
            raise UserError(
                "there is no trained run" if folder.is_dir() else "there is no such folder",
                where=f"config key run: {folder}",
                fix="name run directories, or folders that finished runs are in; "
                "`python -m depression_vr.runs` lists all",
            )
        folders |= {run.resolve(): run for run in found}
    return [*folders.values()]


def _can_be_studied(folder: Path, has_corpus: bool) -> bool:
    """Whether it is a finished run with weights, as an evaluation is not, and there are videos for it."""
    checkpoints = Run(folder).checkpoints
    if not any((checkpoints / name).is_file() for name in ("best.ckpt", "last.ckpt")):
        return False
    status = summary_of(folder).status
    reason: str = "" if status == "finished" else status
    if not reason and not has_corpus and Run(folder).config().data.corpus == NO_CORPUS:
        reason = "imported without a corpus; name one, such as data=csv data.table=FILE"
    if reason:
        log.warning("left out: %s: %s", folder, reason)
    return not reason


def _open(folder: Path, config: DictConfig, overrides: Sequence[str]) -> TrainedNetwork:
    own = config.copy()
    own.run = str(folder)
    try:
        trained = open_trained(own, overrides)
        _ = trained.datamodule.manifest  # the corpus is looked for here
    except UserError as error:
        what = f"run {folder}: {error.what}"
        raise UserError(what, error.where, error.fix, error.problems) from error
    return trained


def _name(trained: TrainedNetwork) -> str:
    return str(trained.run.config().get("name", trained.run.folder.name))


def _labels(opened: Sequence[TrainedNetwork]) -> list[str]:
    """The names that the runs were given; where several have one, with the folder."""
    names = [_name(trained) for trained in opened]
    folders = [trained.run.folder.resolve() for trained in opened]
    count = Counter(names)
    labels = [
        f"{name} ({'/'.join(folder.parts[-2:])})" if count[name] > 1 else name
        for name, folder in zip(names, folders, strict=True)
    ]
    count = Counter(labels)
    return [
        f"{name} ({folder})" if count[label] > 1 else label
        for name, folder, label in zip(names, folders, labels, strict=True)
    ]
