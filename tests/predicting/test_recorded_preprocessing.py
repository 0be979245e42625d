"""What a run records of how its frames were made, and what is built of it again."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from depression_vr.errors import UserError
from depression_vr.faces.aligning.crops import Crops
from depression_vr.faces.backends.dlib import Dlib
from depression_vr.faces.backends.face_alignment import FaceAlignment
from depression_vr.faces.fingerprint import VERSION
from depression_vr.faces.pipeline import Preprocessing
from depression_vr.faces.recorded import RecordedPreprocessing, recorded_preprocessing
from depression_vr.faces.tracking.face_tracking import FaceTracking
from depression_vr.faces.tracking.openface_tracking import OpenFaceTracking
from depression_vr.predicting.preprocessing import chosen_preprocessing, settings_of_frames

CONF = Path(__file__).parents[2] / "conf"
DLIB = Preprocessing(FaceTracking(Dlib(search_side=320), every=5), Crops(size=64), fps=10)


def summary(settings: Preprocessing, **measured: float) -> dict[str, Any]:
    made = settings_of_frames(settings)
    fingerprint = {"source": {"version": made.pop("version"), "video": "1-a", "beside": []}, **made}
    return {"fingerprint": fingerprint, "packages": {"av": "18.1.0"}, **measured}


def folders(root: Path, *summaries: dict[str, Any] | None) -> list[Path]:
    """A folder per summary; None has none."""
    made = []
    for number, content in enumerate(summaries):
        folder = root / str(number)
        folder.mkdir()
        made.append(folder)
        if content is not None:
            (folder / "summary.json").write_text(json.dumps(content))
    return made


def recorded(settings: Preprocessing) -> RecordedPreprocessing:
    return RecordedPreprocessing(1, 1, settings_of_frames(settings), [], {}, {})


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF)):
        return compose("predict", ["run=RUN", "run_dir=run", "network=network", *overrides])


def test_settings_of_all_videos_and_quantiles_of_their_quality_are_recorded(tmp_path: Path) -> None:
    videos = folders(tmp_path, *(summary(DLIB, sharpness_mean=float(n)) for n in range(101)))
    found = recorded_preprocessing(videos, [50] * 101)
    assert (found.videos, found.preprocessed, found.differing) == (101, 101, [])
    assert found.settings == settings_of_frames(DLIB)
    assert found.quality["sharpness_mean"]["0.01"] == 1
    assert found.quality["sharpness_mean"]["0.5"] == 50
    assert found.quality["frames"]["0"] == 50
    assert "yaw_mean" not in found.quality
    assert found.packages == {"av": ["18.1.0"]}


def test_frames_from_elsewhere_are_recorded_as_unknown(tmp_path: Path) -> None:
    found = recorded_preprocessing(folders(tmp_path, None, None), [5, 7])
    assert (found.preprocessed, found.settings, found.differing) == (0, None, [])
    assert set(found.quality) == {"frames"}


@pytest.mark.parametrize("damage", ["", "[]", '{"fingerprint": null}', '{"fingerprint": {}}'])
def test_a_damaged_summary_counts_as_none(tmp_path: Path, damage: str) -> None:
    (folder,) = folders(tmp_path, None)
    (folder / "summary.json").write_text(damage)
    assert recorded_preprocessing([folder], [3]).preprocessed == 0


def test_videos_that_were_made_otherwise_are_recorded_and_refused(tmp_path: Path) -> None:
    other = Preprocessing(DLIB.tracker, Crops(size=128), DLIB.fps)
    videos = folders(tmp_path, summary(DLIB), summary(DLIB), summary(other), None)
    found = recorded_preprocessing(videos, [3] * 4)
    assert found.settings is None
    assert found.differing == [
        "crops.size: was 64, is now 128 (2 and 1 videos)",
        "1 of 4 videos came without summary.json",
    ]
    with pytest.raises(UserError, match="not all preprocessed alike") as raised:
        chosen_preprocessing(config(), [], found)
    assert "crops.size" in str(raised.value)


def test_what_is_recorded_survives_the_record(tmp_path: Path) -> None:
    found = recorded_preprocessing(folders(tmp_path, summary(DLIB, yaw_mean=3.0)), [9])
    assert RecordedPreprocessing(**json.loads(json.dumps(found.as_dict()))) == found


@pytest.mark.parametrize(
    "settings",
    [DLIB, Preprocessing(FaceTracking(FaceAlignment(detector="yunet", flip=True)), Crops(format="png"))],
    ids=["dlib", "face_alignment"],
)
def test_the_same_preprocessing_is_built_again(settings: Preprocessing) -> None:
    chosen = chosen_preprocessing(config(), [], recorded(settings))
    assert chosen.origin == "recorded"
    assert settings_of_frames(chosen.settings) == settings_of_frames(settings)


def test_openface_is_asked_for_its_files_and_counts_as_recorded_then(tmp_path: Path) -> None:
    trained_on = recorded(Preprocessing(OpenFaceTracking(tmp_path / "of_training", 0.8), Crops()))
    with pytest.raises(UserError, match=r"faces\.folder=FOLDER faces\.min_confidence=0\.8"):
        chosen_preprocessing(config(), [], trained_on)
    given = ["faces=openface", f"faces.folder={tmp_path}", "faces.min_confidence=0.8"]
    assert chosen_preprocessing(config(*given), given, trained_on).origin == "recorded"


def test_settings_given_by_hand_count_and_say_what_is_otherwise() -> None:
    given = ["faces=dlib", "faces.backend.search_side=320", "faces.every=5", "crops.size=128", "fps=10"]
    chosen = chosen_preprocessing(config(*given), given, recorded(DLIB))
    assert chosen.origin == "given by hand"
    assert chosen.differing == ("crops.size: was 64, is now 128",)
    assert isinstance(chosen.settings.crops, Crops)
    assert chosen.settings.crops.size == 128


def test_a_single_setting_by_hand_is_refused() -> None:
    with pytest.raises(UserError, match="not what finds the faces") as raised:
        chosen_preprocessing(config("crops.size=128"), ["crops.size=128"], recorded(DLIB))
    assert raised.value.where == "config key crops.size"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"version": VERSION + 1}, "version"),
        ({"crops": {"class": "TheirCrops"}}, "TheirCrops, which is not of this project"),
        ({"crops": {"class": "Crops", "sise": 64}}, "sise"),
    ],
)
def test_what_cannot_be_built_again_is_refused(change: dict[str, Any], what: str) -> None:
    changed = RecordedPreprocessing(1, 1, settings_of_frames(DLIB) | change, [], {}, {})
    with pytest.raises(UserError, match=what):
        chosen_preprocessing(config(), [], changed)
