"""What of a config determines the result of a run, and what of it may be shown."""

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from depression_vr.data.corpora import PATH_KEYS

_DIGITS = 8
_PARTS = ("model", "optim", "input", "data", "trainer", "callbacks")
_WHERE_DATA_IS_READ = {*PATH_KEYS, "num_workers"}
_WHERE_TRAINING_RUNS = {"accelerator", "devices", "deterministic", "default_root_dir", "log_every_n_steps"}
_REPORTING_CALLBACKS = {
    "DeviceStatsMonitor",
    "LearningRateMonitor",
    "ModelSummary",
    "RichModelSummary",
    "RichProgressBar",
    "TQDMProgressBar",
}


def shareable_config(config: DictConfig) -> dict[str, Any]:
    """The resolved config for loggers: without the folders that corpora and runs lie in."""
    content: Any = OmegaConf.to_container(config, resolve=True)
    shared = {key: content[key] for key in ("name", "seed", "model", "optim", "input")}
    shared["data"] = {key: value for key, value in content["data"].items() if key not in PATH_KEYS}
    trainer = content["trainer"]
    shared["trainer"] = {key: value for key, value in trainer.items() if key != "default_root_dir"}
    return shared


def settings_fingerprint(config: DictConfig) -> str:
    """Eight hex digits that runs with the same settings share: all seeds, on any machine, in any folder.

    Of network, optimisation, input, corpus, trainer and callbacks every key counts, known or not, except:
    the seed, folders and files, the number of workers, the device, and what only reports (callbacks such as
    progress bars, ``trainer.enable_*`` and ``trainer.log_every_n_steps``).

    Args:
        config: of a run, with its interpolations or resolved.
    """
    parts = {key: _plain(config.get(key)) for key in _PARTS}
    data, trainer, callbacks = (parts[key] for key in ("data", "trainer", "callbacks"))
    settings = parts | {
        "data": {key: data[key] for key in data.keys() - _WHERE_DATA_IS_READ - {"seed"}},
        "trainer": {
            key: value
            for key, value in trainer.items()
            if key not in _WHERE_TRAINING_RUNS and not key.startswith("enable_")
        },
        "callbacks": {
            name: {key: value for key, value in callback.items() if key != "dirpath"}
            if _is_callback(callback)
            else callback  # no run gets that far with it
            for name, callback in callbacks.items()
            if callback is not None and not _only_reports(callback)
        },
    }
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGITS]


def _is_callback(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("_target_"), str)


def _only_reports(node: Any) -> bool:
    return _is_callback(node) and node["_target_"].rpartition(".")[2] in _REPORTING_CALLBACKS


def run_fingerprint(config: DictConfig, dataset_fingerprint: str) -> str:
    """The settings' fingerprint and the first digits of the dataset's: runs that should agree share both."""
    return f"{settings_fingerprint(config)}-{dataset_fingerprint[:_DIGITS]}"


def _plain(part: Any) -> dict[str, Any]:
    content: Any = {} if part is None else OmegaConf.to_container(part, resolve=True)
    return content
