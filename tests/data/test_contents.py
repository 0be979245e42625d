"""What frames hold, as digests: every byte counts, and is read once."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from depression_vr.data.contents import contents_digest, frame_contents
from depression_vr.data.manifest import Manifest
from depression_vr.data.table import CsvTable

CHANGED = "303_1_Freeform"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, empty."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def corpus(csv_corpus: Path) -> Path:
    """Folder of the small table's videos."""
    return csv_corpus.parent


def manifest(corpus: Path) -> Manifest:
    return CsvTable(corpus / "videos.csv", None, 63, None).manifest()


def contents(corpus: Path) -> pd.DataFrame:
    return frame_contents(manifest(corpus))


def frames(corpus: Path, video: str = CHANGED) -> list[Path]:
    return sorted((corpus / video).iterdir())


def overwrite(file: Path, content: bytes, *, noticed: bool) -> None:
    """Write over a file; unless it is to be noticed, with the same size and time."""
    before = file.stat()
    file.write_bytes(content)
    if not noticed:
        assert file.stat().st_size == before.st_size
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def changed_videos(before: pd.DataFrame, after: pd.DataFrame) -> set[str]:
    return set(before["video_id"][before["digest"] != after["digest"]])


def test_another_picture_under_the_same_name_changes_its_videos_digest_and_the_corpuss(corpus: Path) -> None:
    before = contents(corpus)
    first, second = frames(corpus)[:2]
    assert before["video_id"].tolist() == manifest(corpus).table["video_id"].tolist()
    assert before.set_index("video_id").loc[CHANGED, "frames"] == len(frames(corpus))
    fingerprint = manifest(corpus).fingerprint
    overwrite(first, second.read_bytes(), noticed=True)
    after = contents(corpus)
    assert changed_videos(before, after) == {CHANGED}
    assert contents_digest(before) != contents_digest(after)
    assert manifest(corpus).fingerprint == fingerprint  # which only knows names


def test_digests_do_not_depend_on_the_folder_nor_on_a_cache(corpus: Path, tmp_path: Path) -> None:
    first = contents(corpus)
    moved = corpus.rename(tmp_path / "elsewhere")
    pd.testing.assert_frame_equal(contents(moved), first)
    pd.testing.assert_frame_equal(contents(moved), first)


def test_bytes_that_move_to_the_next_frame_change_the_digest(corpus: Path) -> None:
    before = contents(corpus)
    first, second = frames(corpus)[:2]
    both = first.read_bytes() + second.read_bytes()
    overwrite(first, both[:100], noticed=True)
    overwrite(second, both[100:], noticed=True)
    assert changed_videos(before, contents(corpus)) == {CHANGED}


def test_frames_are_read_again_only_when_name_size_or_time_has_changed(corpus: Path) -> None:
    before = contents(corpus)
    frame = frames(corpus)[0]
    overwrite(frame, bytes(frame.stat().st_size), noticed=False)
    pd.testing.assert_frame_equal(contents(corpus), before)
    os.utime(frame, ns=(0, frame.stat().st_mtime_ns + 1))
    assert changed_videos(before, contents(corpus)) == {CHANGED}


def test_some_videos_are_not_read_again_after_the_whole_corpus(corpus: Path) -> None:
    before = contents(corpus)
    frame = frames(corpus)[0]
    overwrite(frame, bytes(frame.stat().st_size), noticed=False)
    rows = before.index[before["video_id"] == CHANGED]
    pd.testing.assert_frame_equal(
        frame_contents(manifest(corpus), rows), before.iloc[rows].reset_index(drop=True)
    )


def test_what_was_read_before_an_interrupt_is_kept(corpus: Path, cache: Path) -> None:
    before = contents(corpus)
    waiting, others = frames(corpus)[0], [frames(corpus, video)[0] for video in before["video_id"][:4]]
    kept = waiting.read_bytes()
    waiting.unlink()
    os.mkfifo(waiting)  # keeps its reader waiting until somebody writes

    def interrupt() -> None:
        time.sleep(0.5)  # within which all other videos are read
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        waiting.write_bytes(b"")

    shutil.rmtree(cache)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        contents(corpus)
    thread.join()
    waiting.unlink()
    waiting.write_bytes(kept)
    for frame in others:
        overwrite(frame, bytes(frame.stat().st_size), noticed=False)
    pd.testing.assert_frame_equal(contents(corpus), before)  # so the others were not read again


@pytest.mark.parametrize("damage", ["a file in place of the folder", "no JSON", "another JSON"])
def test_a_cache_that_is_of_no_use_is_no_error(corpus: Path, cache: Path, damage: str) -> None:
    before = contents(corpus)
    (file,) = (cache / "depression_vr" / "contents").iterdir()
    if damage == "a file in place of the folder":
        shutil.rmtree(cache)
        cache.touch()
    else:
        file.write_text("{" if damage == "no JSON" else '{"a": [1]}')
    pd.testing.assert_frame_equal(contents(corpus), before)


def test_a_frame_that_cannot_be_read_is_counted_until_it_can(corpus: Path) -> None:
    before = contents(corpus)
    frame = frames(corpus)[3]
    frame.rename(frame.with_suffix(".away"))
    frame.symlink_to(frame.with_suffix(".away-too"))
    after = contents(corpus)
    assert after.set_index("video_id")["unreadable"].to_dict() == {
        video: int(video == CHANGED) for video in before["video_id"]
    }
    assert changed_videos(before, after) == {CHANGED}
    frame.with_suffix(".away").replace(frame)
    pd.testing.assert_frame_equal(contents(corpus), before)
