from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from depression_vr.faces.output import QUALITY
from depression_vr.faces.reporting.contact_sheet import STATE_COLOURS, contact_sheet, timeline

SIDE = 32


def write_video(folder: Path, frames: int, first: int = 1) -> Path:
    """Frames of one gray each, twice their number, as PNG, and the columns that the sheet reads."""
    folder.mkdir()
    numbers = range(first, first + frames)
    for number in numbers:
        Image.new("RGB", (64, 64), (2 * number,) * 3).save(folder / f"frame_{number:06d}.png")
    table = pd.DataFrame({"frame": list(numbers), "time": [(number - 1) / 25 for number in numbers]})
    table.to_parquet(folder / QUALITY)
    return folder


def tiles(sheet: np.ndarray, columns: int, side: int = SIDE) -> list[int]:
    """The gray in the middle of every tile, row by row."""
    height = len(sheet) // (len(sheet) // side)
    return [
        int(sheet[top + side // 2, left * side + side // 2, 0])
        for top in range(0, len(sheet), height)
        for left in range(columns)
    ]


def test_frames_are_spread_evenly_over_the_video(tmp_path: Path) -> None:
    sheet = contact_sheet(write_video(tmp_path / "video", frames=100), frames=4, side=SIDE)

    assert sheet.dtype == np.uint8
    assert sheet.shape[1:] == (4 * SIDE, 3)
    assert [gray // 2 for gray in tiles(sheet, 4)] == [13, 38, 63, 88]


def test_short_video_shows_each_frame_once_and_the_rest_is_black(tmp_path: Path) -> None:
    sheet = contact_sheet(write_video(tmp_path / "video", frames=3, first=50), frames=5, side=SIDE)

    assert tiles(sheet, 5) == [100, 102, 104, 0, 0]
    assert not sheet[:, 3 * SIDE :].any()


def test_more_frames_than_a_row_holds_go_on_below(tmp_path: Path) -> None:
    sheet = contact_sheet(write_video(tmp_path / "video", frames=20), frames=20, side=SIDE)

    assert sheet.shape[1] == 12 * SIDE
    assert [gray // 2 for gray in tiles(sheet, 12)] == [*range(1, 21), 0, 0, 0, 0]


def test_captions_differ_with_number_and_time(tmp_path: Path) -> None:
    sheet = contact_sheet(write_video(tmp_path / "video", frames=2), frames=2, side=128)

    captions = sheet[128:]
    assert captions.max() > 128
    assert not np.array_equal(captions[:, :128], captions[:, 128:])


def test_frame_that_cannot_be_decoded_is_black(tmp_path: Path) -> None:
    folder = write_video(tmp_path / "video", frames=3)
    (folder / "frame_000002.png").write_bytes(b"not a picture")

    assert [gray < 20 for gray in tiles(contact_sheet(folder, frames=3, side=SIDE), 3)] == [True] * 3
    assert tiles(contact_sheet(folder, frames=3, side=SIDE), 3)[::2] == [2, 6]


def test_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        contact_sheet(tmp_path / "missing")


def test_timeline_shows_states_where_they_are() -> None:
    bar = timeline(["detected", "tracked", "interpolated", "lost"], width=8, height=3)

    assert bar.shape == (3, 8, 3)
    expected = [STATE_COLOURS[state] for state in ("detected", "tracked", "interpolated", "lost")]
    assert bar[1].tolist() == [list(colour) for colour in expected for _ in range(2)]


def test_one_lost_frame_of_thousands_is_seen() -> None:
    states = ["tracked"] * 5000
    states[2500] = "lost"

    bar = timeline(states, width=100, height=1)[0]

    lost = np.flatnonzero((bar == STATE_COLOURS["lost"]).all(axis=1))
    assert lost.tolist() == [50]


def test_timeline_without_frames_is_black() -> None:
    assert not timeline([], width=10, height=2).any()
