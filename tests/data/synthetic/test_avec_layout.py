import json
from pathlib import Path

import av
import dlib
import numpy as np
import pytest

from depression_vr.data.synthetic import write_avec2014
from depression_vr.data.synthetic.settings import Settings
from depression_vr.errors import UserError

FEW = {"training": 1, "development": 1, "test": 1}


def write_few(out: Path, **changes: object) -> Path:
    settings = {"recordings": FEW, "seconds": 0.4, "workers": 1} | changes
    return write_avec2014(out, **settings)  # type: ignore[arg-type]


def frames_of(video: Path) -> list[np.ndarray]:
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_few(tmp_path_factory.mktemp("avec") / "out")


def test_videos_lie_where_avec2014_has_them(written: Path) -> None:
    assert sorted(str(path.relative_to(written)) for path in written.rglob("*.mp4")) == [
        "Development/Freeform/204_1_Freeform_video.mp4",
        "Development/Northwind/204_1_Northwind_video.mp4",
        "Testing/Freeform/205_1_Freeform_video.mp4",
        "Testing/Northwind/205_1_Northwind_video.mp4",
        "Training/Freeform/203_1_Freeform_video.mp4",
        "Training/Northwind/203_1_Northwind_video.mp4",
    ]
    assert not list(written.rglob("*.partial"))


def test_videos_decode_to_moving_frames_of_the_size_and_rate_asked_for(written: Path) -> None:
    video = written / "Training/Freeform/203_1_Freeform_video.mp4"
    with av.open(str(video)) as container:
        assert container.streams.video[0].average_rate == 30
    frames = frames_of(video)
    assert len(frames) == 12
    assert frames[0].shape == (256, 256, 3)
    assert np.abs(frames[0].astype(float) - frames[-1]).mean() > 1


def test_labels_are_those_of_the_same_people_in_the_frames_corpus(written: Path) -> None:
    people = Settings(FEW, 32, 10.0, 64, 0).people()
    labels = {path.name: int(path.read_text()) for path in (written / "DepressionLabels").iterdir()}
    assert labels == {f"{recording.name}_Depression.csv": recording.score for recording in people}


def test_a_second_call_makes_only_the_videos_that_are_missing(tmp_path: Path) -> None:
    out = write_few(tmp_path / "out", recordings={"training": 1})
    kept, removed = sorted(out.rglob("*.mp4"))
    written, before = removed.read_bytes(), (kept.stat().st_ino, kept.stat().st_mtime_ns)
    removed.unlink()
    removed.with_name(f".{removed.name}.partial").write_bytes(b"cut short")
    write_few(out, recordings={"training": 1})
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == before
    assert removed.read_bytes() == written
    assert not list(out.rglob("*.partial"))


def test_a_folder_with_other_things_or_other_settings_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="something else"):
        write_few(foreign)
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "synthetic.json").write_text(json.dumps(Settings(FEW, 32, 10.0, 256, 0).as_dict()))
    with pytest.raises(UserError, match="other settings"):
        write_few(begun)


@pytest.mark.parametrize("size", [128, 257])
def test_a_size_that_no_detector_or_encoder_takes_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(UserError, match="even"):
        write_few(tmp_path / "out", size=size)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_dlib_finds_the_one_face_in_nearly_every_frame(tmp_path: Path) -> None:
    out = write_avec2014(tmp_path / "out", {"training": 5}, seconds=2.0, frame_rate=10.0)
    detector = dlib.get_frontal_face_detector()
    found = [len(detector(frame, 0)) == 1 for video in out.rglob("*.mp4") for frame in frames_of(video)]
    assert len(found) == 200
    assert np.mean(found) >= 0.99
