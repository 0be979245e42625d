"""What a model card tells, as plain containers: without subjects and without folders of this machine."""

from dataclasses import asdict
from importlib import metadata
from typing import Any

from omegaconf import DictConfig

from depression_vr.exporting.evaluated import evaluation_facts
from depression_vr.exporting.formats import Format
from depression_vr.exporting.tracing import AXES, INPUT, OUTPUT
from depression_vr.runs.bands import NO_DIAGNOSIS
from depression_vr.runs.provenance import code_state
from depression_vr.settings import shareable_config
from depression_vr.trained import TrainedNetwork

_OF_DATASET = ("corpus", "protocol", "fold", "fingerprint", "videos", "frames", "subject_overlap")
_RESIZING = (
    "PIL's antialiased bicubic filter, to the height and width of `shape` where a frame has others, without "
    "keeping its proportions"
)
_WINDOWS = (
    "of every frame_step-th frame from the first, n in all, T = clip_length: where n > T, S = ceil(n / T) "
    "windows of T frames, window i from 0 starting at floor(i * (n - T) / (S - 1)); where n <= T, one window "
    "whose position i from 0 shows frame floor(i * n / T)"
)
_SETTINGS = ("model/", "optim/", "data/", "trainer/max_epochs", "trainer/precision")


def card_facts(trained: TrainedNetwork, frame_size: tuple[int, int], wanted: Format) -> dict[str, Any]:
    """Everything on the card that is known before the network is exported.

    Raises:
        UserError: a file of the run is damaged, or the evaluation is not one of these weights and clips.
    """
    record = trained.run.record()
    return {
        "note": NO_DIAGNOSIS,
        "network": {
            "name": trained.config.network,
            "parameters": sum(each.numel() for each in trained.module.network.parameters()),
            "settings": _settings(trained.run.config()),
        },
        "input": _input(trained, frame_size, record),
        "output": {
            "name": OUTPUT,
            "shape": [AXES[0]],
            "unit": "points",
            "maximum": trained.module.scale.maximum,
            "is_cut_at_maximum": trained.module.scale.clip,
        },
        "training": _training(record),
        "imported": record.get("imported"),
        "evaluation": evaluation_facts(trained),
        "versions": {name: metadata.version(name) for name in ("depression-vr", *wanted.packages)},
        "git_commit_of_export": code_state().commit,
    }


def _settings(config: DictConfig) -> dict[str, Any]:
    """Of network, optimisation and clips."""
    return {
        key: value
        for key, value in shareable_config(config).items()
        if key.startswith(_SETTINGS) and not key.startswith("data/seed")
    }


def _input(trained: TrainedNetwork, frame_size: tuple[int, int], record: dict[str, Any]) -> dict[str, Any]:
    datamodule = trained.datamodule
    normalisation = datamodule.preparation.normalisation
    preprocessing = record.get("dataset", {}).get("preprocessing") or {}
    return {
        "name": INPUT,
        "shape": [*AXES, *frame_size, 3],
        "type": "uint8",
        "colours": "RGB, 0..255",
        "clip_length": datamodule.shape.length,
        "frame_step": datamodule.shape.step,
        "windows_of_a_video": _WINDOWS,
        "score_of_a_video": "mean over its windows",
        "resizing": _RESIZING,
        "view_size": list(datamodule.views.size),
        "regions": [asdict(region) for region in datamodule.views.regions],
        "normalisation": {"mean": list(normalisation.mean), "std": list(normalisation.std)},
        "preprocessing": _without_paths(preprocessing.get("settings")),
    }


def _without_paths(content: Any) -> Any:
    """Settings, with what could be a folder of this machine left out."""
    if isinstance(content, dict):
        return {key: _without_paths(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_paths(value) for value in content]
    return None if isinstance(content, str) and ("/" in content or "\\" in content) else content


def _training(record: dict[str, Any]) -> dict[str, Any] | None:
    """Of a run that was trained here; None of imported weights."""
    if "imported" in record:
        return None
    dataset = record.get("dataset", {})
    return {
        "dataset": {key: dataset.get(key) for key in _OF_DATASET},
        "contents": record.get("contents"),
        "fingerprint": record.get("fingerprint"),
        "seed": record.get("seed"),
        "best_development_mae": record.get("best_development_mae"),
        "status": record.get("status"),
        "started": record.get("started"),
        "git_commit": record.get("git_commit"),
        "git_dirty": record.get("git_dirty"),
    }
