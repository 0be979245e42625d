"""Windows of one video that overlap."""

from pathlib import Path

import numpy as np
import torch

from conftest import WriteVideo
from depression_vr.data.frames import FrameFolder
from depression_vr.data.reader import ClipReader

SIZE = (20, 24)


def test_frames_that_two_windows_share_are_read_once(tmp_path: Path, write_video: WriteVideo) -> None:
    folder = FrameFolder.listed(write_video(tmp_path / "video", 8))
    first, second = np.arange(5), np.arange(3, 8)
    expected = ClipReader(SIZE).read(folder, second).pixels
    reader = ClipReader(SIZE)
    reader.read(folder, first)
    for frame in (3, 4):
        folder.frame_path(frame).unlink()
    assert torch.equal(reader.read(folder, second).pixels, expected)


def test_frames_of_another_video_are_its_own(tmp_path: Path, write_video: WriteVideo) -> None:
    one, other = (FrameFolder.listed(write_video(tmp_path / name, n)) for name, n in (("one", 4), ("two", 5)))
    frames = np.arange(4)
    expected = ClipReader(SIZE).read(other, frames).pixels
    reader = ClipReader(SIZE)
    before = reader.read(one, frames).pixels
    assert torch.equal(reader.read(other, frames).pixels, expected)
    assert not torch.equal(before, expected)


def test_a_substitute_that_two_windows_share_is_counted_in_both(
    tmp_path: Path, write_video: WriteVideo
) -> None:
    folder = FrameFolder.listed(write_video(tmp_path / "video", 8))
    folder.frame_path(3).write_bytes(b"no image")
    reader = ClipReader(SIZE, "skip")
    assert [reader.read(folder, frames).substituted for frames in (np.arange(5), np.arange(3, 8))] == [1, 1]
    assert reader.read(folder, np.arange(4, 8)).substituted == 0
