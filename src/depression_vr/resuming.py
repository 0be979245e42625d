"""Which run goes on, and with which config."""

import logging
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from depression_vr.assembly import with_absolute_paths
from depression_vr.configs import AUTO
from depression_vr.errors import Problem, UserError
from depression_vr.runs.relocation import relocated
from depression_vr.runs.run import Run, open_run
from depression_vr.settings import settings_fingerprint

log = logging.getLogger(__name__)

_MAY_CHANGE = {
    *("seed", "data", "trainer", "callbacks", "logger"),
    *("compile", "tf32", "requeue", "record_contents"),
}
_LISTED = "keys of data, trainer, callbacks and logger, and compile, tf32, requeue and record_contents"
_NOT_IN_EARLIER_VERSIONS = {"compile", "tf32"}
_MISSING = object()


def goes_on(config: DictConfig, run: Run) -> bool:
    """Whether a training is to go on with what its run directory holds."""
    return config.resume is not None and (config.resume != AUTO or run.record_file.is_file())


def resumed_config(config: DictConfig, run: Run, overrides: Sequence[str]) -> DictConfig:
    """The recorded config of the run, with what the command line changes and may change.

    Args:
        config: as composed now.
        run: the one that goes on.
        overrides: of the command line.

    Raises:
        UserError: there is no run, or settings that determine its result are to change.
    """
    opened = open_run(run.folder)
    opened.refuse_imported()
    recorded = relocated(opened.config(), run.folder)
    if config.resume == AUTO:
        _refuse_another_run(recorded, config, run)
        return config
    if Path(str(config.resume)).resolve() != run.folder.resolve():
        raise UserError(
            f"the run to go on with is {config.resume}, but the run directory is to be {run.folder}",
            where="config keys resume and hydra.run.dir",
            fix="leave hydra.run.dir out; a run directory may be moved before",
        )
    changed = recorded.copy()
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    changes = [override for override in parsed if not _is_about_resuming(override)]
    for override in changes:
        _apply(changed, override)
    changed = with_absolute_paths(changed)
    if not _same_result(changed, recorded):
        raise UserError(
            "a run goes on with the settings that it began with:",
            where=str(run.folder),
            problems=[
                Problem(override.input_line or override.key_or_group, "changes the result")
                for override in changes
                if not _keeps_the_result(recorded, override)
            ],
            fix="leave them out, or begin a run of its own with them",
        )
    if changes:
        log.info("changed for the rest of the run: %s", " ".join(str(each.input_line) for each in changes))
    return changed


def _same_result(one: DictConfig, other: DictConfig) -> bool:
    """Whether two configs differ in nothing that the result depends on, its random numbers included."""
    return all(
        part(one) == part(other)
        for part in (settings_fingerprint, lambda config: config.seed, lambda config: config.data.seed)
    )


def _is_about_resuming(override: Override) -> bool:
    return override.key_or_group == "resume" or override.key_or_group.startswith("hydra.")


def _apply(config: DictConfig, override: Override) -> None:
    key = override.key_or_group
    if key.partition(".")[0] not in _MAY_CHANGE:
        raise UserError(
            f"{key} is settled when a run begins",
            where=f"command line: {override.input_line}",
            fix=f"leave it out; what may change, where no result depends on it, are {_LISTED}",
        )
    is_missing = OmegaConf.select(config, key, default=_MISSING) is _MISSING
    if override.is_delete() or (is_missing and key not in _NOT_IN_EARLIER_VERSIONS):
        raise UserError(
            f"the run has no config key {key}, and cannot lose one",
            where=f"command line: {override.input_line}",
            fix="leave it out; a run brings its own network, corpus and settings",
        )
    if OmegaConf.is_config(OmegaConf.select(config, key)) and isinstance(override.value(), str):
        raise UserError(
            f"a run brings its own {key}",
            where=f"command line: {override.input_line}",
            fix="leave it out, or change single keys that no result depends on, such as data.root",
        )
    OmegaConf.update(config, key, override.value(), force_add=True)


def _keeps_the_result(recorded: DictConfig, override: Override) -> bool:
    alone = recorded.copy()
    _apply(alone, override)
    return _same_result(with_absolute_paths(alone), recorded)


def _refuse_another_run(recorded: DictConfig, config: DictConfig, run: Run) -> None:
    if not _same_result(recorded, config):
        ours, theirs = settings_fingerprint(config), settings_fingerprint(recorded)
        raise UserError(
            f"the run directory holds another run: settings {theirs}, seed {recorded.seed}; "
            f"wanted are settings {ours}, seed {config.seed}",
            where=str(run.folder),
            fix="name another folder with hydra.run.dir=FOLDER, or move that run away",
        )
