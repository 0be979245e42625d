"""What of a config determines the result of a run, and what of it may be shown."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from depression_vr.distributed.processes import processes
from depression_vr.effective_batch import with_scaled_rate
from depression_vr.keys import with_dots

PATH_KEYS = ("root", "image_root", "table")
"""The keys that name folders and files of a corpus: made absolute in a run's config, shown to no logger."""

_DIGITS = 8
_ABSENT = "nothing"
_SHARED = ("name", "network", "experiment", "seed", "model", "optim", "input", "compile", "tf32")
_PATH_MARKS = ("/", "\\", "~")
_PARTS = ("model", "optim", "input", "data", "trainer", "callbacks")
_WHERE_DATA_IS_READ = {*PATH_KEYS, "num_workers"}
_WHERE_TRAINING_RUNS = {
    "accelerator",
    "devices",
    "num_nodes",
    "strategy",
    "deterministic",
    "default_root_dir",
    "log_every_n_steps",
}
_FULL_NAMES = {32: "32-true", "32": "32-true", 64: "64-true", "64": "64-true"}  # Lightning's
_ONLY_OF_SEVERAL_PROCESSES = {"sync_batchnorm"}
_WHERE_CALLBACKS_WRITE = {"dirpath", "storage", "study_name", "trial"}
_REPORTING_CALLBACKS = {
    "DeviceStatsMonitor",
    "LearningRateMonitor",
    "ModelSummary",
    "ResumeCheckpoint",
    "RichModelSummary",
    "RichProgressBar",
    "SameOnAllRanks",
    "Stragglers",
    "TQDMProgressBar",
    "Throughput",
    "TrainingProgress",
}


def shareable_config(config: DictConfig) -> dict[str, Any]:
    """The resolved config for loggers, flat, with keys such as ``model/attention``.

    Without the folders that corpora and runs lie in, and without any other setting that could be a path.
    """
    content: Any = OmegaConf.to_container(config, resolve=True)
    shared = {key: content.get(key) for key in _SHARED}
    shared["corpus"] = content["data"].get("corpus")
    shared["data"] = {key: value for key, value in content["data"].items() if key not in PATH_KEYS}
    trainer = content["trainer"]
    of_run_folder = ("default_root_dir", "strategy")
    shared["trainer"] = {key: value for key, value in trainer.items() if key not in of_run_folder}
    return {key: value for key, value in _leaves(shared) if "/" not in key or not _may_be_a_path(value)}


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Single values by their whole key; a list of single values is one."""
    parts: Any = {}
    if isinstance(node, dict):
        parts = node
    elif isinstance(node, list) and any(isinstance(part, dict | list) for part in node):
        parts = dict(enumerate(node))
    else:
        yield key, node
    for name, part in parts.items():
        yield from _leaves(part, f"{key}/{name}" if key else str(name))


def _may_be_a_path(value: Any) -> bool:
    if isinstance(value, list):
        return any(_may_be_a_path(part) for part in value)
    return isinstance(value, str) and any(mark in value for mark in _PATH_MARKS)


def common_settings(config: DictConfig) -> dict[str, str]:
    """What the processes of a run have to have in common: every key and its value.

    Not where data is read, which may be a disk of each machine; nor the folder of a new run, which has the
    time in its name and is handed down.
    """
    content: Any = OmegaConf.to_container(config, resolve=True)
    content.pop("new_run_dir", None)
    content["data"] = {key: value for key, value in content["data"].items() if key not in _WHERE_DATA_IS_READ}
    run_dir = str(content.pop("run_dir"))
    given = {key: str(value).replace(run_dir, "${run_dir}") for key, value in with_dots(content)}
    return given | {"run_dir": run_dir}


def settings_fingerprint(config: DictConfig) -> str:
    """Eight hex digits that runs with the same settings share: all seeds, on any machine, in any folder.

    Args:
        config: of a run, with its interpolations or resolved.
    """
    canonical = json.dumps(_determining(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGITS]


def determining_settings(config: DictConfig) -> dict[str, str]:
    """What `settings_fingerprint` and the seed stand for: every key, with dots, and its value."""
    seeds = {"seed": config.seed, "data.seed": config.data.seed}
    return {key: str(value) for key, value in (seeds | dict(with_dots(_determining(config)))).items()}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Keys whose values differ, in order, with both values; a key that is not there has ``nothing``."""
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            yield key, before.get(key, _ABSENT), now.get(key, _ABSENT)


def _determining(config: DictConfig) -> dict[str, Any]:
    """What of a config the result of its run depends on, but for the seed.

    Of network, optimisation, input, corpus, trainer and callbacks every key counts, known or not, except:
    the seed, folders and files, the number of workers, the device, and what only reports (callbacks such as
    progress bars, ``trainer.enable_*`` and ``trainer.log_every_n_steps``). Of devices and nodes the number of
    processes counts where there are several. The learning rate counts as ``scale_lr`` makes it.
    """
    config = with_scaled_rate(config)
    parts = {key: _plain(config.get(key)) for key in _PARTS}
    data, trainer, callbacks = (parts[key] for key in ("data", "trainer", "callbacks"))
    count = processes(config)
    ignored = _WHERE_TRAINING_RUNS | (_ONLY_OF_SEVERAL_PROCESSES if count == 1 else set())
    return parts | {
        "data": {key: data[key] for key in data.keys() - _WHERE_DATA_IS_READ - {"seed"}},
        "trainer": {
            key: _FULL_NAMES.get(value, value) if key == "precision" else value
            for key, value in trainer.items()
            if key not in ignored and not key.startswith("enable_")
        }
        | ({"processes": count} if count > 1 else {}),
        "callbacks": {
            name: {key: value for key, value in callback.items() if key not in _WHERE_CALLBACKS_WRITE}
            if _is_callback(callback)
            else callback  # no run gets that far with it
            for name, callback in callbacks.items()
            if callback is not None and not _only_reports(callback, str(trainer.get("precision")))
        },
    }


def _is_callback(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("_target_"), str)


def _only_reports(node: Any, precision: str) -> bool:
    if not _is_callback(node):
        return False
    name = node["_target_"].rpartition(".")[2]
    # in full precision a guard changes nothing, unless it is told to leave steps out
    is_idle = name == "PrecisionGuard" and node.get("policy") != "skip" and "16" not in precision
    return name in _REPORTING_CALLBACKS or is_idle


def run_fingerprint(config: DictConfig, dataset_fingerprint: str) -> str:
    """The settings' fingerprint and the first digits of the dataset's: runs that should agree share both."""
    return f"{settings_fingerprint(config)}-{dataset_fingerprint[:_DIGITS]}"


def _plain(part: Any) -> dict[str, Any]:
    content: Any = {} if part is None else OmegaConf.to_container(part, resolve=True)
    return content
