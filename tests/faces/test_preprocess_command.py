"""``python -m depression_vr.preprocess`` as a user meets it: interrupted, with bad input, twice at once."""

import csv
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from conftest import RunCommand
from depression_vr.data.videos import videos_in
from depression_vr.faces.aligning.crops import Crops
from depression_vr.faces.backends.dlib import Dlib
from depression_vr.faces.corpus import preprocess_videos
from depression_vr.faces.output import Output
from depression_vr.faces.pipeline import Preprocessing
from depression_vr.faces.reporting.corpus_tables import video_records, write_tables
from depression_vr.faces.reporting.report import write_report
from depression_vr.faces.tracking.face_tracking import FaceTracking
from films import cut, write_film, write_sound
from photograph import picture, placed

pytest.importorskip("dlib", reason="the extra [dlib] is not installed")

DLIB = ("faces=dlib", "crops.size=64")
SHORT, LONG = 16, 90
WIDTH, HEIGHT = 320, 240
PATIENCE = 120  # seconds that a process may take on a busy machine

Tree = dict[str, bytes]


def pictures(frames: int, beginning: float = 0) -> Iterator[np.ndarray]:
    """A face that sways a little."""
    for frame in range(frames):
        sway = np.sin(frame / 7 + beginning)
        yield picture([placed(1 + 0.05 * sway, 6 * sway, (160 + 10 * sway, 120))], WIDTH, HEIGHT)


def film(path: Path, frames: int = SHORT, beginning: float = 0, **muxing: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_film(path, pictures(frames, beginning), options={"preset": "ultrafast"}, muxing=muxing)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the films a, b and c."""
    folder = tmp_path_factory.mktemp("films")
    for number, name in enumerate("abc"):
        film(folder / f"{name}.mp4", beginning=number)
    return folder


@pytest.fixture(scope="module")
def long_films(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films a, b and c, of which b is long, so that there is time to interrupt it."""
    folder = tmp_path_factory.mktemp("long_films")
    copy(films, folder)
    (folder / "b.mp4").unlink()
    film(folder / "b.mp4", LONG)
    return folder


def copy(source: Path, target: Path) -> Path:
    return shutil.copytree(source, target, dirs_exist_ok=True)


def in_one_go(videos: Path, out: Path) -> Path:
    """What no process, interruption or command has to do with."""
    output = Output(out)
    settings = Preprocessing(FaceTracking(Dlib()), Crops(size=64))
    preprocess_videos(videos_in(videos), settings, output, workers=1)
    write_tables(output, video_records(output))
    write_report(output, video_records(output), faces=True)
    return out


@pytest.fixture(scope="module")
def once(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_one_go(films, tmp_path_factory.mktemp("once"))


@pytest.fixture(scope="module")
def long_once(long_films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_one_go(long_films, tmp_path_factory.mktemp("long_once"))


def tree(folder: Path, under: str = "") -> Tree:
    """Every file, hidden ones too, with its content."""
    files = (path for path in (folder / under).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file: the same only if nobody wrote it anew."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (folder, *folder.rglob("*"))
    }


def finished(out: Path) -> set[str]:
    return {path.parent.name for path in out.glob("videos/[!.]*/summary.json")}


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def quality(out: Path) -> dict[str, dict[str, str]]:
    return {row["video_id"]: row for row in rows(out / "quality.csv")}


def started(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command as the first process of a group, as a terminal starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "depression_vr.preprocess", *DLIB, *arguments],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def unfinished(out: Path) -> Path | None:
    """The hidden folder of the long film, when something has been written there."""
    return next((path.parent for path in out.glob("videos/.*.partial/frame_000009.jpg")), None)


def in_the_middle(out: Path) -> bool:
    return "a" in finished(out) and unfinished(out) is not None and "b" not in finished(out)


# --- interruptions


def interrupt(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches the workers as well


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()


@pytest.mark.parametrize("end", [interrupt, kill], ids=["ctrl-c", "kill-9"])
def test_an_interrupted_run_goes_on_and_ends_with_the_bytes_of_one_in_one_go(
    end: Callable[[subprocess.Popen[str]], None],
    long_films: Path,
    long_once: Path,
    tmp_path: Path,
    command: RunCommand,
) -> None:
    out = tmp_path / "FACES"
    process = started(tmp_path, f"input={long_films}", "out=FACES", "workers=2")
    wait_until(lambda: in_the_middle(out), process)
    workers = psutil.Process(process.pid).children()
    end(process)
    _, errors = process.communicate(timeout=PATIENCE)
    assert psutil.wait_procs(workers, PATIENCE)[1] == []  # none is left behind
    assert "b" not in finished(out)
    if end is interrupt:
        assert (process.returncode, list(out.glob("videos/.*"))) == (130, [])
        assert "interrupted; the same command goes on" in errors
        assert "Traceback" not in errors
    before = identities(out / "videos" / "a")

    outcome = command("preprocess", *DLIB, f"input={long_films}", "out=FACES", "workers=1")

    assert outcome.code == 0, outcome.err
    assert identities(out / "videos" / "a") == before
    assert tree(out) == tree(long_once)


@pytest.mark.slow
def test_a_video_whose_process_is_killed_is_tried_again(
    long_films: Path, long_once: Path, tmp_path: Path
) -> None:
    out = tmp_path / "FACES"
    process = started(tmp_path, f"input={long_films}", "out=FACES", "workers=2")
    wait_until(lambda: in_the_middle(out), process)
    at_work = [
        worker
        for worker in psutil.Process(process.pid).children()
        if any(".partial" in file.path for file in worker.open_files())
    ]
    at_work[0].kill()
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert "3 videos done" in output
    assert "Traceback" not in errors
    assert tree(out) == tree(long_once)


def test_workers_that_are_just_starting_end_quietly_at_ctrl_c(films: Path, tmp_path: Path) -> None:
    process = started(tmp_path, f"input={films}", "out=FACES", "workers=2")
    wait_until(lambda: len(psutil.Process(process.pid).children()) == 3, process)  # and what tracks memory
    interrupt(process)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_in_this_process_ctrl_c_leaves_nothing_half_written(
    long_films: Path, long_once: Path, tmp_path: Path, command: RunCommand
) -> None:
    out = tmp_path / "FACES"
    process = started(tmp_path, f"input={long_films}", "out=FACES", "workers=1")
    wait_until(lambda: in_the_middle(out), process)
    interrupt(process)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert (finished(out), list(out.glob("videos/.*"))) == ({"a"}, [])
    assert command("preprocess", *DLIB, f"input={long_films}", "out=FACES", "workers=1").code == 0
    assert tree(out) == tree(long_once)


def test_a_video_that_another_process_has_is_left_to_it(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    out = tmp_path / "FACES"
    arguments = (*DLIB, f"input={films}", "out=FACES", "workers=1")
    with Output(out).locked(videos_in(films)[1]):
        outcome = command("preprocess", *arguments)
    assert outcome.code == 1
    assert f"{films}/b.mp4: another process is working on it" in outcome.err
    assert finished(out) == {"a", "c"}
    assert not (out / "failed").exists()  # the other process will say what became of it
    assert command("preprocess", *arguments).code == 0
    assert tree(out) == tree(once)


def test_an_earlier_result_is_there_again_when_a_new_one_cannot_take_its_place(
    films: Path, once: Path, tmp_path: Path
) -> None:
    out = copy(once, tmp_path / "FACES")
    output, video = Output(out), videos_in(films)[0]
    with pytest.raises(FileNotFoundError), output.unfinished(video) as partial:
        shutil.rmtree(partial)
    assert tree(out) == tree(once)


# --- several processes, several machines


def test_neither_processes_nor_batches_change_a_byte(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    process = started(tmp_path, f"input={films}", "out=TWO", "workers=2")
    one = command("preprocess", *DLIB, f"input={films}", "out=ONE", "workers=1", "faces.batch_frames=3")
    _, errors = process.communicate(timeout=PATIENCE)
    assert (one.code, process.returncode) == (0, 0), one.err + errors
    assert tree(tmp_path / "ONE") == tree(once)
    assert tree(tmp_path / "TWO") == tree(once)
    frames = next(line for line in errors.splitlines() if line.startswith("Frames"))
    assert f"{3 * SHORT}/{3 * SHORT}" in frames
    assert "frames/s" in frames
    assert next(line for line in errors.splitlines() if line.startswith("Videos")).split()[2] == "3/3"


def test_shards_share_a_folder_and_are_merged_to_the_result_of_one_run(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    out = tmp_path / "FACES"
    shard = (*DLIB, f"input={films}", "out=FACES", "num_shards=2", "workers=1")
    assert command("preprocess", *shard, "shard=1").code == 0
    assert finished(out) == {"b"}
    assert command("preprocess", *shard, "shard=0").code == 0
    assert not (out / "manifest.csv").exists()
    assert command("preprocess", "merge=true", "out=FACES").code == 0
    assert tree(out) == tree(once)


def test_shards_in_one_command_all_run_though_a_video_fails(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    copy(films, tmp_path / "films")
    (tmp_path / "films" / "0.mp4").touch()  # of the first shard
    sweep = ("-m", *DLIB, "input=films", "out=FACES", "shard=0,1", "num_shards=2", "workers=1")
    outcome = command("preprocess", *sweep)
    assert outcome.code == 1
    assert "0.mp4: the file is empty" in outcome.err
    assert finished(tmp_path / "FACES") == {"a", "b", "c"}
    assert {path.name for path in tmp_path.iterdir()} <= {"films", "FACES", "multirun"}
    (tmp_path / "films" / "0.mp4").unlink()
    assert command("preprocess", *sweep).code == 0
    shutil.rmtree(tmp_path / "FACES" / "failed")  # the video is gone, and with it what became of it
    assert command("preprocess", "merge=true", "out=FACES").code == 0
    assert tree(tmp_path / "FACES", "videos") == tree(once, "videos")


@pytest.mark.slow
def test_shards_run_on_submitits_local_executor(films: Path, once: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra [slurm] is not installed")
    videos = copy(films, tmp_path / "films")
    sweep = (
        "-m", f"input={videos}", f"out={tmp_path / 'FACES'}", "shard=0,1", "num_shards=2", "workers=1",
        "hydra/launcher=submitit_local",
    )  # fmt: skip
    process = started(tmp_path, *sweep)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert tree(tmp_path / "FACES", "videos") == tree(once, "videos")
    assert {path.name for path in tmp_path.iterdir()} <= {"films", "FACES", "multirun"}

    (videos / "0.mp4").touch()
    film(videos / "d.mp4")
    process = started(tmp_path, *sweep)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "0.mp4: the file is empty" in errors
    assert finished(tmp_path / "FACES") == {"a", "b", "c", "d"}


# --- changed settings, changed input


def test_changed_settings_are_refused_by_name_until_they_are_meant(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    out = copy(once, tmp_path / "FACES")
    before = identities(out)
    smaller = ("faces=dlib", "crops.size=48", f"input={films}", "out=FACES", "workers=1")
    outcome = command("preprocess", *smaller)
    assert outcome.code == 2
    assert "3 videos: crops.size: was 64, is now 48" in outcome.err
    assert "overwrite=true" in outcome.err
    assert identities(out) == before

    outcome = command("preprocess", *smaller, "overwrite=true")
    assert outcome.code == 0, outcome.err
    assert Image.open(out / "videos" / "b" / "frame_000001.jpg").size == (48, 48)
    for name in "abc":
        tracks = f"videos/{name}/tracks.parquet"
        assert (out / tracks).read_bytes() == (once / tracks).read_bytes()
    back = (*DLIB, f"input={films}", "out=FACES", "workers=1", "overwrite=true")
    assert command("preprocess", *back).code == 0
    assert tree(out) == tree(once)


def test_only_the_video_whose_file_has_changed_is_made_again(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    out, videos = copy(once, tmp_path / "FACES"), copy(films, tmp_path / "films")
    shutil.copyfile(films / "c.mp4", videos / "b.mp4")
    before = {name: identities(out / "videos" / name) for name in "ac"}
    arguments = (*DLIB, "input=films", "out=FACES", "workers=1")
    outcome = command("preprocess", *arguments)
    assert outcome.code == 2
    assert "1 video: source.video: was" in outcome.err
    assert tree(out) == tree(once)

    outcome = command("preprocess", *arguments, "overwrite=true")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("1 videos done, 2 finished before")
    assert {name: identities(out / "videos" / name) for name in "ac"} == before
    for name in ("tracks.parquet", "quality.parquet", "frame_000016.jpg"):
        assert (out / "videos" / "b" / name).read_bytes() == (once / "videos" / "c" / name).read_bytes()


def test_a_result_that_cannot_be_made_again_is_kept_and_marked_until_it_holds(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    out, videos = copy(once, tmp_path / "FACES"), copy(films, tmp_path / "films")
    (videos / "b.mp4").write_bytes(b"")
    arguments = (*DLIB, "input=films", "out=FACES", "workers=1", "overwrite=true")
    assert command("preprocess", *arguments).code == 1
    assert tree(out, "videos") == tree(once, "videos")
    row = quality(out)["b"]
    assert (row["status"], row["reason"]) == ("finished", "the file is empty")

    shutil.copyfile(films / "b.mp4", videos / "b.mp4")
    assert command("preprocess", *arguments).code == 0
    assert tree(out) == tree(once)


def test_corrected_labels_arrive_without_touching_a_frame(
    films: Path, tmp_path: Path, command: RunCommand
) -> None:
    out, table = tmp_path / "FACES", tmp_path / "videos.csv"
    arguments = (*DLIB, "data=csv", f"data.table={table}", f"data.image_root={films}", "out=FACES")
    table.write_text("path,label,partition\na.mp4,3,training\nb.mp4,5,test\n")
    assert command("preprocess", *arguments, "workers=1").code == 0
    frames = [out / place / "frame_000001.jpg" for place in ("training/a", "test/b")]
    before = [path.stat() for path in frames]
    table.write_text("path,label,partition\na.mp4,3,training\nb.mp4,15,test\n")
    outcome = command("preprocess", *arguments, "workers=1")
    assert outcome.out.startswith("0 videos done, 2 finished before")
    assert [path.stat() for path in frames] == before
    assert {row["video_id"]: row["label"] for row in rows(out / "manifest.csv")} == {"a": "3", "b": "15"}

    # a later command that does not read the table knows them as well
    assert command("preprocess", "merge=true", "out=FACES").code == 0
    assert {row["video_id"]: row["label"] for row in rows(out / "manifest.csv")} == {"a": "3", "b": "15"}


def test_a_corrected_partition_leaves_the_earlier_place_out_of_the_tables(
    films: Path, tmp_path: Path, command: RunCommand
) -> None:
    out, table = tmp_path / "FACES", tmp_path / "videos.csv"
    arguments = (*DLIB, "data=csv", f"data.table={table}", f"data.image_root={films}", "out=FACES")
    for partition in ("training", "test"):
        table.write_text(f"path,label,partition\na.mp4,3,{partition}\n")
        assert command("preprocess", *arguments, "workers=1").code == 0
        assert [row["path"] for row in rows(out / "manifest.csv")] == [f"{partition}/a"]
        assert [row["partition"] for row in rows(out / "quality.csv")] == [partition]


def test_more_input_is_added_to_the_manifest(films: Path, tmp_path: Path, command: RunCommand) -> None:
    for name in "ac":
        assert command("preprocess", *DLIB, f"input={films}/{name}.mp4", "out=FACES", "workers=1").code == 0
    assert [row["path"] for row in rows(tmp_path / "FACES" / "manifest.csv")] == ["videos/a", "videos/c"]


def test_without_faces_the_report_has_no_picture_of_one(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    report = copy(once, tmp_path / "FACES") / "report"
    assert list(report.rglob("*.jpg"))
    arguments = (*DLIB, f"input={films}", "out=FACES", "workers=1", "report.faces=false")
    assert command("preprocess", *arguments).code == 0
    assert {path.suffix for path in report.rglob("*") if path.is_file()} == {".html", ".svg"}
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "image/jpeg" not in page
    assert "frame_" not in page
    assert "contact_sheets" not in page


# --- what training reads


def first_files(printed: str) -> list[list[str]]:
    """Video and first file of each clip that ``clips`` prints."""
    fields = [line.split("\t") for line in printed.splitlines()[1:]]
    return [[clip[0], clip[4]] for clip in fields]


def test_the_manifest_is_a_corpus(films: Path, tmp_path: Path, command: RunCommand) -> None:
    (tmp_path / "videos.csv").write_text(
        f"path,label,partition\n{films}/a.mp4,3,training\n{films}/b.mp4,5,development\n{films}/c.mp4,9,test\n"
    )
    arguments = (f"data.image_root={films}", "data=csv", "data.table=videos.csv", "out=FACES", "workers=1")
    assert command("preprocess", *DLIB, *arguments).code == 0
    clips = ("data.clip_length=8", "data.frame_step=1")
    outcome = command("clips", "data=csv", "data.table=FACES/manifest.csv", *clips)
    assert outcome.code == 0, outcome.err
    assert first_files(outcome.out) == [["c", "frame_000001.jpg"], ["c", "frame_000009.jpg"]]


def test_avec2014_is_read_where_it_was_written(films: Path, tmp_path: Path, command: RunCommand) -> None:
    raw = tmp_path / "RAW"
    for name, partition, recording in (
        ("a", "Training", "203_1"),
        ("b", "Development", "205_2"),
        ("c", "Testing", "207_1"),
    ):
        video = raw / partition / "Freeform" / f"{recording}_Freeform_video.mp4"
        video.parent.mkdir(parents=True)
        shutil.copyfile(films / f"{name}.mp4", video)
        label = raw / "DepressionLabels" / f"{recording}_Depression.csv"
        label.parent.mkdir(exist_ok=True)
        label.write_text("7")
    corpus = ("data=avec2014", "data.root=RAW", "data.tasks=[Freeform]")
    outcome = command("preprocess", *DLIB, *corpus, "out=FACES", "workers=1")
    assert outcome.code == 0, outcome.err
    clips = ("data.clip_length=16", "data.frame_step=1")
    outcome = command("clips", *corpus, "data.image_root=FACES", *clips)
    assert outcome.code == 0, outcome.err
    assert first_files(outcome.out) == [["207_1_Freeform", "frame_000001.jpg"]]


# --- bad input


ODD = "Zoë's 1. film 100% #1 a=b"
TOO_LONG = "ü" * 125  # as long as a file's name may be; not that of failed/<name>.json

REASONS = {
    "empty": "the file is empty",
    "cut": "the file is cut off: its index is missing",
    "sound": "the file has no video, only audio",
    "text": "not a video",
    "nobody": "no face was found in the whole video",
    TOO_LONG: "not a video",
}


def write_bad(folder: Path) -> None:
    (folder / "empty.mp4").touch()
    cut(film(folder / "cut.mp4"), 0.6)
    write_sound(folder / "sound.mp4")
    (folder / "text.mp4").write_text("This is a list of films.\n" * 100)
    write_film(folder / "nobody.mp4", [picture([], WIDTH, HEIGHT)] * SHORT)
    (folder / f"{TOO_LONG}.mp4").write_text("text")


@pytest.fixture(scope="module")
def bad(films: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """The folder where FACES was made of good and bad videos, the exit code and what was printed."""
    folder = tmp_path_factory.mktemp("bad")
    videos = copy(films, folder / "videos")
    (videos / "b.mp4").rename(videos / f"{ODD}.mp4")
    cut(film(videos / "damaged.mp4", 30, movflags="faststart"), 0.7)
    write_bad(videos)
    process = started(folder, "input=videos", "out=FACES", "workers=1")
    _, errors = process.communicate(timeout=PATIENCE)
    return folder, process.returncode, errors


@pytest.mark.parametrize("name", REASONS)
def test_a_bad_video_is_reported_with_its_reason(bad: tuple[Path, int, str], name: str) -> None:
    folder, code, errors = bad
    out = folder / "FACES"
    assert code == 1
    assert f"failed: {folder}/videos/{name}.mp4: {REASONS[name]}" in errors
    notes = [json.loads(path.read_text()) for path in (out / "failed" / "videos").iterdir()]
    assert {note["video_id"]: note["reason"] for note in notes}[name] == REASONS[name]
    assert quality(out)[name]["status"] == "failed"
    assert quality(out)[name]["reason"] == REASONS[name]
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert f'videos/{name}</td><td class="left">{REASONS[name]}' in page
    assert not (out / "videos" / name).exists()


def test_beside_bad_videos_everything_else_is_complete(bad: tuple[Path, int, str], once: Path) -> None:
    folder, _, errors = bad
    out = folder / "FACES"
    good = {"a", "c", "damaged", ODD}
    assert {path.name for path in (out / "videos").iterdir()} == good
    assert {row["video_id"] for row in rows(out / "manifest.csv")} == good
    assert {row["video_id"] for row in rows(out / "quality.csv")} == good | set(REASONS)
    assert (out / "videos" / ODD / "frame_000016.jpg").read_bytes() == (
        once / "videos" / "b" / "frame_000016.jpg"
    ).read_bytes()
    assert f"{len(REASONS)} of {len(good) + len(REASONS)} videos failed" in errors
    assert "Traceback" not in errors


def test_of_a_truncated_video_the_frames_before_the_damage_are_kept_and_it_is_marked(
    bad: tuple[Path, int, str], command: RunCommand
) -> None:
    folder, *_ = bad
    outcome = command("preprocess", *DLIB, f"input={folder}/videos/damaged.mp4", "out=FACES", "workers=1")
    assert outcome.code == 0, outcome.err
    summary = json.loads(Path("FACES/videos/damaged/summary.json").read_text())
    assert 5 < summary["frames_written"] < 30
    assert summary["damage"].startswith(f"truncated: {summary['frames']} of 30 frames")
    assert quality(Path("FACES"))["damaged"]["damage"] == summary["damage"]
    assert summary["damage"] in Path("FACES/report/index.html").read_text(encoding="utf-8")


def test_a_repaired_video_is_finished_and_its_failure_forgotten(
    bad: tuple[Path, int, str], films: Path, tmp_path: Path, command: RunCommand
) -> None:
    shutil.copytree(bad[0], tmp_path, dirs_exist_ok=True)
    shutil.copyfile(films / "a.mp4", "videos/empty.mp4")
    before = identities(Path("FACES/videos/a"))
    outcome = command("preprocess", *DLIB, "input=videos", "out=FACES", "workers=1")
    assert outcome.code == 1
    assert outcome.out.startswith("1 videos done, 4 finished before")
    assert quality(Path("FACES"))["empty"]["status"] == "finished"
    assert not Path("FACES/failed/videos/empty.json").exists()
    assert identities(Path("FACES/videos/a")) == before


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="gives up a capability of Linux")


def without_power_over_files() -> None:
    """What root must give up to be refused a file; called in the new process."""
    if os.geteuid() == 0:
        drop, libc = 24, ctypes.CDLL(None)  # PR_CAPBSET_DROP
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if libc.prctl(drop, capability, 0, 0, 0):
                os._exit(77)


def as_a_user(folder: Path, *arguments: str) -> tuple[int, str]:
    process = started(folder, *arguments, preexec_fn=without_power_over_files)
    _, errors = process.communicate(timeout=PATIENCE)
    if process.returncode == 77:
        pytest.skip("root may read every file here, and may not give that up")
    return process.returncode, errors


@linux
def test_an_unreadable_file_is_reported(films: Path, tmp_path: Path) -> None:
    videos = copy(films, tmp_path / "films")
    (videos / "b.mp4").chmod(0)
    code, errors = as_a_user(tmp_path, "input=films", "out=FACES", "workers=1")
    out = tmp_path / "FACES"
    assert code == 1
    assert f"failed: {videos}/b.mp4: cannot be read: Permission denied" in errors
    assert "Traceback" not in errors
    assert quality(out)["b"]["reason"] == "cannot be read: Permission denied"
    assert {path.name for path in (out / "videos").iterdir()} == {"a", "c"}


@linux
def test_a_folder_that_cannot_be_written_to_is_refused(films: Path, tmp_path: Path) -> None:
    (tmp_path / "FACES").mkdir(mode=0o555)
    code, errors = as_a_user(tmp_path, f"input={films}", "out=FACES", "workers=1")
    assert code == 2
    assert f"nothing can be written to {tmp_path}/FACES: Permission denied" in errors
    assert "config key out" in errors
    assert "Traceback" not in errors


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is nearly full with one video of large frames."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", disk],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_the_run_and_leaves_nothing_half_written(
    films: Path, small_disk: Path, command: RunCommand, workers: int
) -> None:
    out = small_disk / "FACES"
    arguments = ("faces=dlib", "crops.format=png", f"input={films}", f"out={out}")
    outcome = command("preprocess", *arguments, f"workers={workers}")
    assert outcome.code == 1
    assert ".mp4: the disk is full" in outcome.err
    assert f"{films}/c.mp4: not tried: the disk is full" in outcome.err
    assert "Traceback" not in outcome.err
    assert {path.name for path in out.glob("videos/*")} == finished(out) <= {"a"}
    told = [row["video_id"] for row in rows(out / "quality.csv")]
    # beside another one that fills the disk, there may be no room to note why the second video has failed
    assert told == ["a", "b", "c"] or (workers == 2 and told == ["a", "c"])

    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    outcome = command("preprocess", *arguments, "workers=1")
    assert outcome.code == 0, outcome.err
    assert finished(out) == {"a", "b", "c"}
    assert not list(out.glob("failed/**/*.json"))


def fill(disk: Path) -> None:
    with (disk / "other").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))


def test_a_corrected_label_that_a_full_disk_does_not_take_is_reported(
    films: Path, small_disk: Path, tmp_path: Path, command: RunCommand
) -> None:
    table = tmp_path / "videos.csv"
    arguments = (*DLIB, "data=csv", f"data.table={table}", f"data.image_root={films}", "workers=1")
    table.write_text("path,label\na.mp4,3\n")
    assert command("preprocess", *arguments, f"out={small_disk / 'FACES'}").code == 0
    fill(small_disk)
    table.write_text("path,label\na.mp4,33333\n")
    outcome = command("preprocess", *arguments, f"out={small_disk / 'FACES'}")
    assert outcome.code == 1
    assert f"{films}/a.mp4: the disk is full" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_disk_without_a_free_byte_is_said_to_be_full(
    films: Path, once: Path, small_disk: Path, command: RunCommand
) -> None:
    arguments = (*DLIB, f"input={films}", f"out={small_disk / 'FACES'}", "workers=1")
    fill(small_disk)
    outcome = command("preprocess", *arguments)
    assert outcome.code == 1, outcome.err
    assert f"{films}/a.mp4: the disk is full" in outcome.err
    assert "tables and report could not be written: [Errno 28] No space left on device" in outcome.err
    assert "Traceback" not in outcome.err
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    assert command("preprocess", *arguments).code == 0
    assert tree(small_disk / "FACES") == tree(once)


def test_of_a_video_without_openfaces_file_is_said_which_one_is_missing(
    films: Path, once: Path, tmp_path: Path, command: RunCommand
) -> None:
    (tmp_path / "openface").mkdir()
    for name in "ac":
        table = pd.read_parquet(once / "videos" / name / "quality.parquet")
        points = table[[f"{axis}_{point}" for axis in "xy" for point in range(68)]]
        head = table.assign(timestamp=table["time"], confidence=0.98, success=1)
        head = head[["frame", "timestamp", "confidence", "success"]]
        pd.concat([head, points], axis=1).to_csv(tmp_path / "openface" / f"{name}.csv", index=False)
    arguments = ("faces=openface", "faces.folder=openface", f"input={films}", "out=FACES", "workers=1")
    outcome = command("preprocess", *arguments)
    assert outcome.code == 1
    assert f"failed: {films}/b.mp4: openface has no b.csv" in outcome.err
    assert "Traceback" not in outcome.err
    assert finished(tmp_path / "FACES") == {"a", "c"}
    assert quality(tmp_path / "FACES")["b"]["reason"] == "openface has no b.csv or **/b.csv"


# --- wrong settings


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "config keys data and input"),
        (("input=nowhere",), "nowhere cannot be read"),
        (("input=FILMS", "data=csv", "data.table=a.csv"), "config keys data and input"),
        (("data=avec2014", "data.root=FILMS", "data.tasks=[3]"), "config key data.tasks.0: "),
        (("input=FILMS", "crops.size=abc"), "config key crops.size"),
        (("input=FILMS", "crops.quality=0"), "config key crops.quality"),
        (("input=FILMS", "fps=-1"), "config key fps"),
        (("input=FILMS", "fps=0"), "config key fps"),
        (("input=FILMS", "fps=fast"), "config key fps"),
        (("input=FILMS", "workers=0"), "config key workers"),
        (("input=FILMS", "workers=all"), "config key workers"),
        (("input=FILMS", "shard=4", "num_shards=4"), "there is no shard 4 of 4"),
        (("input=FILMS", "shard=first"), "config key shard"),
        (("input=FILMS", "num_shards=0"), "config key num_shards"),
        (("input=FILMS", "overwrite=maybe"), "config key overwrite"),
        (("input=FILMS", "report.faces=maybe"), "config key report.faces"),
        (("input=FILMS", "faces.every=0"), "config key faces.every"),
        (("input=FILMS", "faces.unseen_limit=inf"), "config key faces.unseen_limit"),
        (("input=FILMS", "faces.every_seconds=inf"), "config key faces.every_seconds"),
        (("input=FILMS", "faces=mediapipe"), "mediapipe"),
        (("input=FILMS", "faces=openface", "faces.folder=nowhere"), "config key faces.folder"),
        (("input=FILMS", "faces=openface"), "faces.folder"),
        (("input=FILMS", "out=film.mp4"), "film.mp4: File exists"),
        (("input=FILMS", "out=film.mp4/FACES"), "film.mp4/FACES: Not a directory"),
        (("input=FILMS", "out="), "config key out"),
        (("merge=true",), "there is no folder"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_before_anything_is_written(
    arguments: tuple[str, ...], said: str, films: Path, tmp_path: Path, command: RunCommand
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"")
    given = [argument.replace("FILMS", str(films)) for argument in arguments]
    faces = [] if any(argument.startswith("faces=") for argument in given) else DLIB
    out = [] if any(argument.startswith("out=") for argument in given) else ["out=FACES"]
    outcome = command("preprocess", *faces, *out, *given)
    assert outcome.code == 2, outcome.err
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert tree(tmp_path) == {"film.mp4": b""}


def test_a_folder_may_be_named_by_a_number(films: Path, once: Path, command: RunCommand) -> None:
    assert command("preprocess", *DLIB, f"input={films}", "out=2024", "workers=1").code == 0
    assert tree(Path("2024")) == tree(once)


def test_missing_weights_are_named_with_their_folder_and_the_way_out(
    films: Path, tmp_path: Path, command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("face_alignment")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies that it first saw
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    outcome = command("preprocess", f"input={films}", "out=FACES", "workers=1")
    assert outcome.code == 2
    for named in ("2DFAN4", "s3fd", str(tmp_path / "torch" / "hub" / "checkpoints"), "faces=dlib"):
        assert named in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "FACES").exists()
