"""A packed corpus is read as the folders it was made of: same names, pixels, contents and clips."""

import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import RunCommand, WriteVideo
from depression_vr.data.contents import contents_digest, frame_contents
from depression_vr.data.frames import FrameFolder, read_frame
from depression_vr.data.manifest import Manifest
from depression_vr.data.packed import ARCHIVE, listed_frames
from depression_vr.data.packing import Packing, pack, packings
from depression_vr.data.reader import ClipReader
from depression_vr.data.table import CsvTable
from depression_vr.data.videos import RawVideo
from depression_vr.errors import UserError
from depression_vr.faces.output import QUALITY, SUMMARY, TRACKS, Output


def all_packed(root: Path, out: Path) -> int:
    """Pack everything; returns how many frames were counted."""
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    for packing in packings(root, out):
        pack(packing, tick)
    return ticks


@pytest.fixture
def corpora(csv_corpus: Path, tmp_path: Path) -> tuple[Manifest, Manifest]:
    """The same corpus, out of folders of images and out of archives."""
    assert all_packed(csv_corpus.parent, tmp_path / "packed") == 236
    shutil.copy(csv_corpus, tmp_path / "packed")
    folders, packed = (CsvTable(root / "videos.csv") for root in (csv_corpus.parent, tmp_path / "packed"))
    return folders.manifest(), packed.manifest()


def test_a_packed_corpus_is_the_same_corpus(corpora: tuple[Manifest, Manifest]) -> None:
    folders, packed = corpora
    assert packed.fingerprint == folders.fingerprint
    contents = [frame_contents(manifest) for manifest in corpora]
    assert contents[0].equals(contents[1])
    assert contents_digest(contents[0]) == contents_digest(contents[1])


def test_a_packed_corpus_has_the_same_pixels(corpora: tuple[Manifest, Manifest]) -> None:
    for images, packed in zip(*(manifest.folders for manifest in corpora), strict=True):
        assert not list(packed.path.glob("*.jpg"))
        for frame in range(len(images)):
            assert np.array_equal(read_frame(images, frame, (20, 24)), read_frame(packed, frame, (20, 24)))
    reader = ClipReader((16, 16))
    one, other = (reader.read(manifest.folders[3], np.arange(0, 20, 3)) for manifest in corpora)
    assert torch.equal(one.pixels, other.pixels)


def test_other_files_go_along_and_packing_again_changes_nothing(
    write_video: WriteVideo, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "faces" / "deep" / "video", 7)
    (video / "quality.parquet").write_bytes(b"a table")
    out = tmp_path / "packed"
    assert all_packed(tmp_path / "faces", out) == 7
    archive = out / "deep" / "video" / ARCHIVE
    assert (archive.parent / "quality.parquet").read_bytes() == b"a table"
    before = archive.stat().st_ino
    assert all_packed(tmp_path / "faces", out) == 7
    assert archive.stat().st_ino == before
    (video / "frame_000003.jpg").unlink()
    assert all_packed(tmp_path / "faces", out) == 6
    assert listed_frames(archive.parent).names.tolist() == FrameFolder.listed(video).names.tolist()


def test_an_archive_that_another_tool_wrote_is_read(write_video: WriteVideo, tmp_path: Path) -> None:
    video, other = write_video(tmp_path / "video", 4), tmp_path / "other"
    other.mkdir()
    with zipfile.ZipFile(other / ARCHIVE, "w") as archive:
        for frame in sorted(video.iterdir(), reverse=True):
            member = zipfile.ZipInfo(frame.name)
            member.extra = b"UT\x05\x00\x01\x00\x00\x00\x00"  # times, as Info-ZIP adds them
            archive.writestr(member, frame.read_bytes())
        archive.writestr("notes.txt", "no frame")
        archive.writestr("__MACOSX/._frame_000000.jpg", "no frame")
        archive.writestr("copies/frame_000000.jpg", "no frame of the folder's own")
    images, packed = listed_frames(video), listed_frames(other)
    assert packed.names.tolist() == images.names.tolist()
    assert [packed.read(frame) for frame in range(4)] == [images.read(frame) for frame in range(4)]


def damaged(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-30])


def compressed(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("frame_000000.jpg", bytes(1000))


def in_folders(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("video/frame_000000.jpg", bytes(1000))


def image_beside(archive: Path) -> None:
    (archive.parent / "frame_000000.jpg").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (damaged, "is no whole ZIP archive"),
        (compressed, "are compressed"),
        (in_folders, "lie in folders"),
        (image_beside, "images beside it"),
    ],
)
def test_an_archive_that_cannot_be_read_is_a_problem_of_its_video(
    csv_corpus: Path, tmp_path: Path, change: Callable[[Path], None], what: str
) -> None:
    all_packed(csv_corpus.parent, tmp_path / "packed")
    shutil.copy(csv_corpus, tmp_path / "packed")
    change(tmp_path / "packed" / "303_1_Freeform" / ARCHIVE)
    with pytest.raises(UserError, match=what) as error:
        CsvTable(tmp_path / "packed" / "videos.csv").manifest()
    assert len(error.value.problems) == 1


def test_an_archive_that_changed_since_it_was_listed_is_a_bad_frame(
    write_video: WriteVideo, tmp_path: Path
) -> None:
    all_packed(write_video(tmp_path / "video", 9), tmp_path / "packed")
    packed = listed_frames(tmp_path / "packed")
    damaged(tmp_path / "packed" / ARCHIVE)
    assert packed.read(0)
    (tmp_path / "packed" / ARCHIVE).write_bytes(bytes(50_000))
    with pytest.raises(UserError, match="has changed since it was listed"):
        ClipReader((20, 24)).read(packed, np.array([0, 3]))


def test_a_frame_that_another_took_the_place_of_is_a_bad_frame(tmp_path: Path) -> None:
    def archived(*names: str) -> None:
        with zipfile.ZipFile(tmp_path / ARCHIVE, "w") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), name[:1] * 100)

    archived("a.bmp", "b.bmp", "c.bmp")
    listed = listed_frames(tmp_path)
    assert listed.read(1) == b"b" * 100
    archived("b.bmp", "c.bmp", "d.bmp")
    with pytest.raises(OSError, match="has changed since it was listed"):
        listed.read(1)


def test_frames_of_the_same_size_are_packed_again(tmp_path: Path) -> None:
    video, out = tmp_path / "video", tmp_path / "packed"
    video.mkdir()
    for pixels in (b"old pixels", b"new pixels"):
        for name in ("1.bmp", "2.bmp", "3.bmp"):
            (video / name).write_bytes(pixels if name == "2.bmp" else b"as before ")
        assert all_packed(video, out) == 3
        packed = listed_frames(out)
        assert [packed.read(frame) for frame in range(3)] == [b"as before ", pixels, b"as before "]


def test_a_damaged_archive_in_out_is_replaced(write_video: WriteVideo, tmp_path: Path) -> None:
    video, out = write_video(tmp_path / "video", 5), tmp_path / "packed"
    all_packed(video, out)
    damaged(out / ARCHIVE)
    assert all_packed(video, out) == 5
    assert listed_frames(out).read(4) == FrameFolder.listed(video).read(4)


def test_nothing_is_left_out(write_video: WriteVideo, tmp_path: Path) -> None:
    faces, out = tmp_path / "faces", tmp_path / "packed"
    write_video(faces / "video", 3)
    (faces / "manifest.csv").write_text("a table")
    (faces / "failed").mkdir()
    (faces / "failed" / "other.json").write_text("a reason")
    (faces / "linked").symlink_to(write_video(tmp_path / "elsewhere", 4))
    all_packed(write_video(tmp_path / "given", 6), faces / "packed_before")
    assert all_packed(faces, out) == 13
    assert (out / "manifest.csv").read_text() == "a table"
    assert (out / "failed" / "other.json").read_text() == "a reason"
    assert len(list(out.rglob(ARCHIVE))) == 3
    for folder in ("video", "linked", "packed_before"):
        given, packed = listed_frames(faces / folder), listed_frames(out / folder)
        assert packed.names.tolist() == given.names.tolist()
        assert all(packed.read(frame) == given.read(frame) for frame in range(len(given)))


def archive_beside(video: Path) -> None:
    with zipfile.ZipFile(video / ARCHIVE, "w") as archive:
        archive.writestr("frame_000000.jpg", bytes(1000))


def link_around(video: Path) -> None:
    (video / "around").symlink_to(video.parent)


def link_to_nothing(video: Path) -> None:
    (video.parent / "other_video").symlink_to("gone")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (archive_beside, "images beside it"),
        (link_around, "leads to a folder around it"),
        (link_to_nothing, "a link to one that is gone"),
    ],
)
def test_what_would_be_packed_wrongly_is_refused(
    write_video: WriteVideo, tmp_path: Path, change: Callable[[Path], None], what: str
) -> None:
    change(write_video(tmp_path / "faces" / "video", 3))
    with pytest.raises(UserError, match=what):
        all_packed(tmp_path / "faces", tmp_path / "packed")


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems do not take such names")
def test_a_name_that_is_not_utf_8_is_refused(
    write_video: WriteVideo, tmp_path: Path, command: RunCommand
) -> None:
    video = write_video(tmp_path / "video", 3)
    (video / "frame_000001.jpg").rename(video / os.fsdecode(b"frame_\xff.jpg"))
    outcome = command("pack", f"frames={video}", f"out={tmp_path / 'packed'}", "workers=1")
    assert outcome.code == 2
    assert "not UTF-8" in outcome.err
    assert not list((tmp_path / "packed").iterdir())


def test_what_a_killed_command_left_is_removed(
    write_video: WriteVideo, tmp_path: Path, command: RunCommand
) -> None:
    video, out = write_video(tmp_path / "faces" / "video", 3), tmp_path / "packed"
    left = out / "video" / f".{ARCHIVE}.6187"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half an archive")
    assert command("pack", f"frames={video.parent}", f"out={out}", "workers=1").code == 0
    assert [path.name for path in left.parent.iterdir()] == [ARCHIVE]


def test_a_frame_that_cannot_be_read_leaves_no_archive(write_video: WriteVideo, tmp_path: Path) -> None:
    video = write_video(tmp_path / "faces" / "video", 5)
    packing = Packing(FrameFolder.listed(video), tmp_path / "packed" / "video")
    (video / "frame_000002.jpg").unlink()
    with pytest.raises(UserError, match=r"frame_000002\.jpg"):
        pack(packing, lambda: None)
    assert not list(packing.target.iterdir())


def test_the_command_packs(csv_corpus: Path, tmp_path: Path, command: RunCommand) -> None:
    out = tmp_path / "packed"
    assert command("pack", f"frames={csv_corpus.parent}", f"out={out}", "workers=1").code == 0
    assert len(list(out.rglob(ARCHIVE))) == 12


@pytest.mark.parametrize(
    ("frames", "out", "what"),
    [
        ("missing", "packed", "is no folder"),
        ("corpus", "corpus/packed", "lie in one another"),
        ("corpus/301_1_Freeform", "corpus", "lie in one another"),
        ("empty", "packed", "holds a frame"),
    ],
)
def test_the_command_refuses(
    csv_corpus: Path,
    tmp_path: Path,
    command: RunCommand,
    frames: str,
    out: str,
    what: str,
) -> None:
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    outcome = command("pack", f"frames={tmp_path / frames}", f"out={tmp_path / out}")
    assert outcome.code == 2
    assert what in outcome.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("key", ["workers=abc", "workers=0", "out=[packed]", "out="])
def test_the_command_refuses_wrong_keys(csv_corpus: Path, command: RunCommand, key: str) -> None:
    outcome = command("pack", f"frames={csv_corpus.parent}", "out=packed", key)
    assert outcome.code == 2
    assert f"config key {key.partition('=')[0]}: " in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("packed").exists()


def test_a_video_whose_archive_is_damaged_is_not_finished(write_video: WriteVideo, tmp_path: Path) -> None:
    output = Output(tmp_path / "packed")
    video = RawVideo("video", tmp_path / "video.mp4", "7", "training", "301", "", "301_1")
    all_packed(write_video(tmp_path / "faces", 3), output.folder(video))
    (output.folder(video) / SUMMARY).write_text('{"frames_written": 3}')
    for table in (TRACKS, QUALITY):
        (output.folder(video) / table).touch()
    assert output.finished(video) == {"frames_written": 3}
    damaged(output.folder(video) / ARCHIVE)
    assert output.finished(video) is None
