"""Who is trained on, selected on and tested: what a run makes of a corpus's partitions."""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

import numpy as np
import pandas as pd

from depression_vr.data.manifest import Manifest, values_within
from depression_vr.errors import Problem, UserError

Protocol = Literal["dev_selected", "train_dev_merged", "subject_disjoint_kfold"]
"""``dev_selected``: train on training, select on development, test once. ``train_dev_merged``: train on both,
select nothing, test once. ``subject_disjoint_kfold``: groups of subjects out of all partitions; each is
tested in one fold."""

_FEWEST_FOLDS = 3


@dataclass(frozen=True)
class Split:
    """The roles of a corpus's videos in one run.

    Attributes:
        protocol: what is done with the partitions.
        folds: groups of subjects, for ``subject_disjoint_kfold``.
        fold: which of them is tested, 0..folds-1; the next one, round about, is the development partition
            and all others are trained on. For ``subject_disjoint_kfold`` only.

    Raises:
        UserError: protocol, folds and fold do not go together.
    """

    protocol: Protocol = "dev_selected"
    folds: int = 5
    fold: int | None = None

    def __post_init__(self) -> None:
        if self.protocol != "subject_disjoint_kfold":
            if self.fold is not None:
                raise UserError(
                    f"data.protocol={self.protocol} has no folds, and fold={self.fold} would do nothing",
                    where="config key data.fold",
                    fix="leave fold out, or use data.protocol=subject_disjoint_kfold",
                )
            return
        if self.folds < _FEWEST_FOLDS:
            raise UserError(
                f"{self.folds} groups of subjects are too few to train on one, select on one and test on one",
                where="config key data.folds",
                fix=f"use {_FEWEST_FOLDS} or more",
            )
        fix = f"give fold=0, ... or fold={self.folds - 1}: each is a run of its own"
        if self.fold is None:
            raise UserError(
                f"data.protocol={self.protocol} needs to know which fold is tested",
                where="config key data.fold",
                fix=fix,
            )
        if not 0 <= self.fold < self.folds:
            raise UserError(
                f"there is no fold {self.fold} of {self.folds}", where="config key data.fold", fix=fix
            )

    @property
    def selects(self) -> bool:
        """Whether there is a development partition to select a checkpoint on."""
        return self.protocol != "train_dev_merged"

    def applied(self, manifest: Manifest) -> Manifest:
        """The corpus with each video's role in the run as its ``partition``.

        Folds depend on the names of the subjects and the number of folds only: not on the run's seed, nor on
        the order or the number of a subject's videos, so that both tasks of AVEC2014 have the same folds.

        Raises:
            UserError: there are fewer subjects than folds, or a recording of several subjects, for
                ``subject_disjoint_kfold``.
        """
        if self.protocol == "dev_selected":
            return manifest
        if self.protocol == "train_dev_merged":
            partition = manifest.table["partition"].replace("development", "training")
            return replace(manifest, table=manifest.table.assign(partition=partition))
        _refuse_recordings_of_several_subjects(manifest.table)
        assert self.fold is not None
        groups = self._groups(manifest)
        roles = np.full(len(groups), "training", dtype=object)
        roles[groups == self.fold] = "test"
        roles[groups == (self.fold + 1) % self.folds] = "development"
        return replace(manifest, table=manifest.table.assign(partition=roles))

    def _groups(self, manifest: Manifest) -> np.ndarray:
        """The group of each video, 0..folds-1, shape ``(n,)``; groups differ by at most one subject."""
        subjects = manifest.table["subject"].to_numpy(str)
        count = len(np.unique(subjects))
        if count < self.folds:
            raise UserError(
                f"the corpus {manifest.corpus} has {count} subjects, too few for {self.folds} folds",
                where="config key data.folds",
                fix=f"use data.folds={count} or fewer" if count >= _FEWEST_FOLDS else "use a larger corpus",
            )
        # by a hash of the name: no library's random numbers, which change from release to release
        dealt = sorted(set(subjects), key=lambda subject: sha256(subject.encode()).hexdigest())
        group = {subject: place % self.folds for place, subject in enumerate(dealt)}
        return np.array([group[subject] for subject in subjects])


def _refuse_recordings_of_several_subjects(table: pd.DataFrame) -> None:
    problems = [
        Problem(f"recording {recording}", f"is of the subjects {' and '.join(of)}")
        for recording, of in values_within(table, "recording", "subject").items()
    ]
    if problems:
        raise UserError(
            "folds that are disjoint by subject would tear recordings apart:",
            where="config key data.protocol",
            fix="give all videos of a recording the same subject, in the table's column subject",
            problems=problems,
        )
