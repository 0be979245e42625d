"""How raw videos are preprocessed for a network: as the videos were that it was trained on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from pydantic.dataclasses import dataclass as checked_dataclass

from depression_vr.building import build
from depression_vr.errors import Problem, UserError
from depression_vr.faces.fingerprint import VERSION, differences, settings_in_common
from depression_vr.faces.pipeline import Preprocessing, package_versions
from depression_vr.faces.recorded import RecordedPreprocessing, read_recorded
from depression_vr.keys import FrameRate, keys_of
from depression_vr.runs.run import Run

log = logging.getLogger(__name__)

_TARGETS = {
    "Crops": "depression_vr.faces.aligning.crops.Crops",
    "Dlib": "depression_vr.faces.backends.dlib.Dlib",
    "FaceAlignment": "depression_vr.faces.backends.face_alignment.FaceAlignment",
    "FaceTracking": "depression_vr.faces.tracking.face_tracking.FaceTracking",
}
"""What is built for a class that a record names."""
_OPENFACE = "OpenFaceTracking"
_BY_HAND = ("faces", "crops", "fps")
_GIVE_BY_HAND = "name the settings, as `preprocess` takes them: faces=dlib (and crops.KEY=..., fps=...)"


@checked_dataclass(frozen=True)
class _Keys:
    fps: FrameRate | None


@dataclass(frozen=True)
class ChosenPreprocessing:
    """How raw videos become frames, and where that is known from.

    Attributes:
        settings: how.
        origin: ``recorded`` with the run, or ``given by hand``.
        differing: what was given by hand and is otherwise than recorded, in words.
    """

    settings: Preprocessing
    origin: Literal["recorded", "given by hand"]
    differing: tuple[str, ...] = ()


def trained_on(run: Run) -> RecordedPreprocessing | None:
    """The preprocessing that a run has recorded of its training videos; None where it has none of them.

    Raises:
        UserError: the record is damaged.
    """
    record = run.record()
    if record.get("kind") == "imported":  # its corpus is not what the network was trained on
        return None
    return read_recorded(record.get("dataset", {}).get("preprocessing"), run.record_file)


def chosen_preprocessing(
    config: DictConfig, overrides: Sequence[str], recorded: RecordedPreprocessing | None
) -> ChosenPreprocessing:
    """The settings that were recorded; or those of the command line, where it names ``faces``.

    Raises:
        UserError: nothing is recorded, or not one way for all videos, or a setting is given without
            ``faces``; or a setting is refused.
        pydantic.ValidationError: the frame rate is refused.
    """
    keys = [override.key_or_group for override in OverridesParser.create().parse_overrides(list(overrides))]
    given = [key for key in keys if key.split(".")[0] in _BY_HAND]
    if config.get("faces") is None:
        if given:
            raise UserError(
                "preprocessing is given by hand, but not what finds the faces",
                where=f"config key {given[0]}",
                fix="name that too, such as faces=dlib, or leave all out for what the run has recorded",
            )
        return ChosenPreprocessing(_rebuilt(_settings(recorded)), "recorded")
    by_hand = Preprocessing(build(config.faces), build(config.crops), keys_of(config, _Keys).fps)
    if recorded is None or recorded.settings is None:
        return ChosenPreprocessing(by_hand, "given by hand")
    differing = tuple(map(str, differences(recorded.settings, settings_of_frames(by_hand))))
    return ChosenPreprocessing(by_hand, "given by hand" if differing else "recorded", differing)


def settings_of_frames(settings: Preprocessing) -> dict[str, Any]:
    """What a record holds as ``settings`` of videos that are made so."""
    return {"version": VERSION, **settings_in_common(settings.tracker, settings.crops, settings.fps)}


def warn_of_other_packages(recorded: RecordedPreprocessing) -> None:
    """Say which packages are not those that the training's frames were made with."""
    for name, version in package_versions().items():
        before = recorded.packages.get(name)
        if before and version not in before:
            made_with_versions = " and ".join(before)
            log.warning(
                "warning: the training's frames were made with %s %s, here is %s",
                name, made_with_versions, version,
            )  # fmt: skip


def _settings(recorded: RecordedPreprocessing | None) -> Mapping[str, Any]:
    if recorded is not None and recorded.differing:
        raise UserError(
            "the videos that the network was trained on were not all preprocessed alike:",
            problems=[Problem("training videos", difference) for difference in recorded.differing],
            where="config key run",
            fix=f"give ready frames, or {_GIVE_BY_HAND}",
        )
    if recorded is None or recorded.settings is None:
        raise UserError(
            "the run does not know how its training videos were preprocessed, so raw videos cannot be "
            "preprocessed alike: " + _why(recorded),
            where="config key run",
            fix="if you know how, say so in the keys of `preprocess`, such as faces=dlib (crops.KEY=..., "
            "fps=...): the nearer to the training's frames, the better. Or name frames that are ready: "
            "input=FOLDER",
        )
    return recorded.settings


def _why(recorded: RecordedPreprocessing | None) -> str:
    if recorded is None:
        return "it was imported, or trained by a version that did not record it"
    return "its frames came without the summaries that `preprocess` writes"


def _rebuilt(settings: Mapping[str, Any]) -> Preprocessing:
    tracking = dict(settings["tracking"])
    fps = tracking.pop("fps")
    if tracking["class"] == _OPENFACE:
        raise UserError(
            "the network was trained on landmarks that OpenFace has found",
            where="config key faces",
            fix="name the folder of those of your videos: faces=openface faces.folder=FOLDER "
            f"faces.min_confidence={tracking['min_confidence']:g}",
        )
    rebuilt = Preprocessing(build(_config(tracking)), build(_config(settings["crops"])), fps)
    changed = differences(settings, settings_of_frames(rebuilt))
    if changed:
        raise UserError(
            "the training's frames cannot be made by this version of the preprocessing:",
            problems=changed,
            where="config key run",
            fix=f"use the version that the run was trained with, or {_GIVE_BY_HAND}",
        )
    return rebuilt


def _config(settings: Mapping[str, Any]) -> dict[str, Any]:
    name = settings["class"]
    if name not in _TARGETS:
        raise UserError(
            f"the training's frames were made with {name}, which is not of this project",
            where="config key run",
            fix=_GIVE_BY_HAND,
        )
    arguments = {
        key: _config(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key != "class"
    }
    return {"_target_": _TARGETS[name], **arguments}
