"""Runs that differ in nothing but the seed, or share what the user names, as groups."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from omegaconf import OmegaConf

from depression_vr.comparison.naming import NONE, differing, group_names, shown
from depression_vr.comparison.reading import FinishedRun, LeftOut
from depression_vr.errors import Problem, UserError
from depression_vr.experiments.recipes import Published
from depression_vr.runs.bands import BDI_MAXIMUM

_KEYS = {"model": "network", "network": "network", "data": "corpus", "corpus": "corpus"}
_MOST_KEYS_NAMED = 5


@dataclass(frozen=True)
class Replicate:
    """One training of a group: a run, or a run for each fold.

    Attributes:
        seed: None for a checkpoint from elsewhere.
        runs: one, or one for each fold in their order.
        videos: every test video once, in the order of their names.
    """

    seed: int | None
    runs: tuple[FinishedRun, ...]
    videos: pd.DataFrame


@dataclass(frozen=True)
class Group:
    """Replicates whose results are averaged.

    Attributes:
        name: no other group has it.
        corpus: that all were tested on.
        settings: what tells the group from the others: keys and their values.
        replicates: in the order of their seeds.
        published: what was published of its recipe; None where nothing was, or its runs disagree.
    """

    name: str
    corpus: str
    settings: Mapping[str, str]
    replicates: tuple[Replicate, ...]
    published: Published | None

    @property
    def runs(self) -> list[FinishedRun]:
        """Of all replicates."""
        return [run for replicate in self.replicates for run in replicate.runs]

    @property
    def is_bdi(self) -> bool:
        """Whether scores are BDI-II's, which severity bands are of."""
        return all(run.maximum == BDI_MAXIMUM for run in self.runs)


def grouped(
    runs: Sequence[FinishedRun], group_by: Sequence[str] | None
) -> tuple[list[Group], list[LeftOut], list[str]]:
    """Groups in the order of their names, the runs that are not in one, and what a reader has to know.

    Of runs with the same settings, seed and fold the newest counts. Runs of one corpus only are in a group.

    Args:
        runs: in any order.
        group_by: ``model``, ``data``, ``experiment`` or keys of the config; None for the fingerprint.

    Raises:
        UserError: a key is in no config, or runs of one group and seed have different settings.
    """
    keyed: dict[tuple[str, ...], list[FinishedRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.started, str(run.folder))):
        keyed[run.corpus, *_values(run, group_by)].append(run)
    _refuse_unknown_keys(runs, group_by)
    names = group_names(keyed, group_by)
    groups, left_out, remarks = [], list[LeftOut](), list[str]()
    for key in sorted(keyed, key=lambda key: names[key].name):
        newest, repeated = _newest(keyed[key], names[key].name)
        replicates, incomplete = _replicates(newest)
        left_out += [*repeated, *incomplete]
        if not replicates:
            continue
        group = Group(names[key].name, key[0], names[key].settings, tuple(replicates), _published(newest))
        groups.append(group)
        remarks += _remarks(group)
    return groups, left_out, remarks


def _values(run: FinishedRun, group_by: Sequence[str] | None) -> tuple[str, ...]:
    if group_by is None:
        return (run.network, run.fingerprint)
    return tuple(_value(run, key) for key in group_by)


def _value(run: FinishedRun, key: str) -> str:
    if key in _KEYS:
        return str(getattr(run, _KEYS[key]))
    if key == "experiment":
        return run.experiment or NONE
    found = OmegaConf.select(run.config, key)
    if OmegaConf.is_dict(found):
        raise UserError(
            f"{key} is a part of the config, not a single value",
            where="config key group_by",
            fix=f"name one of its keys, such as {key}.{next(iter(found), 'KEY')}",
        )
    return shown(OmegaConf.to_container(found) if OmegaConf.is_config(found) else found)


def _refuse_unknown_keys(runs: Sequence[FinishedRun], group_by: Sequence[str] | None) -> None:
    nowhere = object()
    for key in group_by or ():
        if key not in (*_KEYS, "experiment") and all(
            OmegaConf.select(run.config, key, default=nowhere) is nowhere for run in runs
        ):
            raise UserError(
                f"no run has the key {key} in its config",
                where="config key group_by",
                fix="use model, data, experiment or a key of the runs' config.yaml, such as model.attention",
            )


def _newest(runs: Sequence[FinishedRun], name: str) -> tuple[list[FinishedRun], list[LeftOut]]:
    """Of runs, oldest first, the last one of each seed and fold, and the others."""
    same: dict[tuple[int | None, int | None], list[FinishedRun]] = defaultdict(list)
    for run in runs:
        same[run.seed, run.fold].append(run)
    for (seed, _), repeated in same.items():
        if len({run.fingerprint for run in repeated}) > 1:
            raise UserError(
                f"the group {name} has several runs of {_seed(seed)} with different settings:",
                problems=_what_differs(repeated),
                where="config key group_by",
                fix="add what differs to group_by, or leave group_by out",
            )
    repeated_runs = [
        LeftOut(run.folder, f"repeated: {again[-1].folder} is newer, with the same settings and seed")
        for again in same.values()
        for run in again[:-1]
    ]
    return [again[-1] for again in same.values()], repeated_runs


def _what_differs(runs: Sequence[FinishedRun]) -> list[Problem]:
    by_fingerprint = {run.fingerprint: run.settings for run in runs}
    keys = differing(list(by_fingerprint.values()))
    problems = [
        Problem(key, " or ".join(sorted({settings.get(key, NONE) for settings in by_fingerprint.values()})))
        for key in keys[:_MOST_KEYS_NAMED]
    ]
    if len(keys) > _MOST_KEYS_NAMED:
        problems.append(Problem("and", f"{len(keys) - _MOST_KEYS_NAMED} keys more"))
    return problems or [Problem("data", "another corpus, or other frames of it")]


def _replicates(runs: Sequence[FinishedRun]) -> tuple[list[Replicate], list[LeftOut]]:
    of_seed: dict[tuple[int | None, int | None], list[FinishedRun]] = defaultdict(list)
    for run in runs:
        of_seed[run.seed, run.folds].append(run)
    replicates, left_out = [], list[LeftOut]()
    for (seed, folds), of_folds in sorted(of_seed.items(), key=lambda entry: _place(*entry[0])):
        in_order = sorted(of_folds, key=lambda run: -1 if run.fold is None else run.fold)
        missing = sorted(set(range(folds or 0)) - {run.fold for run in in_order if run.fold is not None})
        if missing:
            which = ", ".join(map(str, missing))
            reason = f"fold{'s' if len(missing) > 1 else ''} {which} of {folds} of {_seed(seed)} not finished"
            left_out += [LeftOut(run.folder, reason) for run in in_order]
            continue
        videos = pd.concat([run.videos for run in in_order]).sort_values("video_id", ignore_index=True)
        if videos["video_id"].duplicated().any():
            reason = f"two folds of {_seed(seed)} test the same video: they are of different corpora"
            left_out += [LeftOut(run.folder, reason) for run in in_order]
            continue
        replicates.append(Replicate(seed, tuple(in_order), videos))
    return replicates, left_out


def _place(seed: int | None, folds: int | None) -> tuple[int, int]:
    return -1 if seed is None else seed, folds or 0


def _seed(seed: int | None) -> str:
    return "a checkpoint from elsewhere" if seed is None else f"seed {seed}"


def _published(runs: Sequence[FinishedRun]) -> Published | None:
    distinct = {None if run.published is None else run.published.model_dump_json() for run in runs}
    return runs[0].published if len(distinct) == 1 else None


def _remarks(group: Group) -> Iterator[str]:
    fingerprints = {run.fingerprint for run in group.runs}
    if len(fingerprints) > 1:
        keys = differing([run.settings for run in group.runs])
        which = ", ".join(keys[:_MOST_KEYS_NAMED]) or "the frames of the corpus"
        yield f"The group {group.name} averages runs of different settings: {which}."
    if any(run.stopped_early for run in group.runs):
        yield f"The group {group.name} has runs that their sweep has stopped early."
    if any(run.folds for run in group.runs):
        folds = sorted({run.folds for run in group.runs if run.folds})
        yield (
            f"The group {group.name} pools {' or '.join(map(str, folds))} folds of each seed: every video is "
            "tested once, by a network that did not see its subject."
        )
