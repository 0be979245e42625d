"""The benchmark as a user runs it; how fast anything is depends on the machine and is not tested."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from conftest import RunCommand
from depression_vr.bench.films import Film
from depression_vr.bench.frame_by_frame import FrameByFrame
from depression_vr.bench.limits import face_jpeg
from depression_vr.faces.backends.dlib import Dlib
from depression_vr.faces.video import VideoReader

SHORT = (
    "repetitions=1",
    "benchmarks.preprocess.seconds=0.4",
    "benchmarks.preprocess.loop_seconds=0.1",
    "benchmarks.preprocess.processes=1",
)

TINY = tuple(
    f"benchmarks.plegdf.{setting}"
    for setting in ("size=64", "clip_length=2", "batch_size=2", "base_planes=4", "layers=[1,1,1]")
)


def test_the_table_and_the_file_have_every_row(command: RunCommand) -> None:
    outcome = command("bench.__main__", "rows=preprocess", "out=results/bench.json", *SHORT)
    assert outcome.code == 0, outcome.err
    record = json.loads(Path("results/bench.json").read_text())
    rows = {row["name"].removeprefix("preprocess "): row for row in record["rows"]}
    assert list(rows) == [
        "decode 720p",
        "detect 720p",
        "detect cnn 720p",
        "dlib 720p",
        "openface 720p",
        "dlib 480p",
        "dlib 480p processes",
        "dlib 480p landmarks",
    ]
    assert all(row["figure"] > 0 and row["figures"] == [row["figure"]] for row in rows.values())
    compared = rows["dlib 480p"]
    assert compared["ratio"] == pytest.approx(compared["figure"] / compared["baseline"])
    assert compared["goal"] == "ratio at least 4"
    assert rows["dlib 480p landmarks"]["unit"] == "pixels"
    assert rows["dlib 480p landmarks"]["met"]
    assert record["hardware"]["cores"] >= 1
    assert "dlib-bin" in record["packages"]
    assert record["settings"]["benchmarks"]["preprocess"]["seconds"] == 0.4
    assert all(word in outcome.out for word in ("baseline", "ratio", "goal", "preprocess dlib 480p"))
    assert "end to end, faces=dlib, 720p" in outcome.err
    assert [path.name for path in Path().iterdir()] == ["results"]


def test_relations_between_regions_are_compared_with_those_of_every_pair_by_itself(
    command: RunCommand,
) -> None:
    outcome = command("bench.__main__", "rows=plegdf", "repetitions=1", *TINY)
    assert outcome.code == 0, outcome.err
    rows = {row["name"]: row for row in json.loads(Path("bench.json").read_text())["rows"]}
    units = {
        "plegdf relations": "s",
        "plegdf relations memory": "MiB",
        "plegdf step float32": "s",
        "plegdf step float32 memory": "MiB",
        "plegdf step bf16": "s",
        "plegdf step bf16 memory": "MiB",
    }
    assert {name: row["unit"] for name, row in rows.items()} == units
    assert all(row["figure"] > 0 and row["baseline"] > 0 for row in rows.values())
    # the affinities of twelve pairs alone: 2 clips of 1 frame, 64 x 64 positions, float32
    assert rows["plegdf relations memory"]["baseline"] > 12 * 2 * 64 * 64 * 4 / 2**20
    assert rows["plegdf relations memory"]["ratio"] < 1
    assert rows["plegdf step float32"]["goal"] == "ratio at most 0.5"
    assert rows["plegdf step float32 memory"]["ratio"] < 1
    assert rows["plegdf step bf16 memory"]["ratio"] < rows["plegdf step float32 memory"]["ratio"]


def test_the_limits_of_the_machine_are_rates(command: RunCommand) -> None:
    outcome = command("bench.__main__", "rows=limits", "repetitions=1", "table=results/bench.md")
    assert outcome.code == 0, outcome.err
    rows = {row["name"]: row for row in json.loads(Path("bench.json").read_text())["rows"]}
    assert list(rows) == ["limit float32", "limit bfloat16", "limit copy", "limit jpeg"]
    assert all(row["figure"] > 0 for row in rows.values())
    assert Path("results/bench.md").read_text().count("| limit ") == len(rows)


def test_the_picture_that_is_decoded_is_a_face() -> None:
    picture = np.asarray(Image.open(io.BytesIO(face_jpeg(300))))
    assert picture.shape == (300, 300, 3)
    assert len(Dlib().detect([picture])[0]) == 1


@pytest.mark.parametrize(
    ("argument", "mentioned"),
    [
        ("rows=loading", "use limits, preprocess"),
        ("rows=[preprocess,loading]", "loading"),
        ("rows=3", "config key rows"),
        ("repetitions=0", "config key repetitions"),
        ("repetitions=some", "config key repetitions"),
        ("out=null", "config key out"),
        ("out=.", "is a folder"),
        ("table=.", "is a folder"),
        ("benchmarks.preprocess.seconds=0", "benchmarks.preprocess.seconds"),
        ("benchmarks.plegdf.size=48", "benchmarks.plegdf.size"),
        ("benchmarks.plegdf.batch_size=1", "benchmarks.plegdf.batch_size"),
        ("benchmarks.plegdf.layers=[3,4]", "benchmarks.plegdf.layers"),
    ],
)
def test_wrong_input_gets_one_error_and_exit_code_2(
    command: RunCommand, argument: str, mentioned: str
) -> None:
    outcome = command("bench.__main__", argument)
    assert outcome.code == 2
    assert mentioned in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("bench.json").exists()


def test_a_film_shows_one_moving_face_of_the_asked_width(tmp_path: Path) -> None:
    film = Film(640, 480, face=200, frames=40).write(tmp_path / "film.mp4")
    frames = [frame.rgb() for frame in VideoReader(film)]
    assert len(frames) == 40
    boxes = []
    for frame in frames[::13]:
        assert frame.shape == (480, 640, 3)
        (face,) = Dlib().detect([frame])[0]
        boxes.append(face.box)
    widths = [box[2] - box[0] for box in boxes]
    assert 170 < min(widths) <= max(widths) < 240
    assert np.ptp(boxes, axis=0).max() > 10


def test_the_baseline_writes_the_face_of_every_frame(tmp_path: Path) -> None:
    film = Film(320, 240, face=100, frames=3).write(tmp_path / "film.mp4")
    (tmp_path / "chips").mkdir()
    assert FrameByFrame().write(VideoReader(film), tmp_path / "chips") == 3
    chips = sorted((tmp_path / "chips").iterdir())
    assert [chip.name for chip in chips] == [f"frame_{number:06d}.jpg" for number in (1, 2, 3)]
    assert cv2.imread(str(chips[0])).shape == (256, 256, 3)
