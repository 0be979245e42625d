"""Names of frames stay what they are on disk, in whatever form they are kept."""

from pathlib import Path

import numpy as np
import pytest

from depression_vr.data.frame_names import NumberedNames, compact_names
from depression_vr.data.frames import FrameFolder

NUMBERED = {
    "without gaps": [b"frame_%06d.jpg" % number for number in range(1, 1001)],
    "with gaps": [
        b"frame_%06d.jpg" % number for number in range(1, 1001) if number % 7 and number // 100 != 3
    ],
    "from zero": [b"%d.png" % number for number in range(10)],
    "beginning high": [b"v2_00999990.jpeg", b"v2_00999991.jpeg", b"v2_01000007.jpeg"],
    "of two": [b"a7b.bmp", b"a9b.bmp"],
}
OTHERS = {
    "of different length": [b"1.jpg", b"10.jpg", b"2.jpg"],
    "of several numbers": [b"1_left.jpg", b"2_right.jpg"],
    "of letters": [b"a.jpg", b"b.jpg", b"c.jpg"],
    "not UTF-8": [b"\xe91.jpg", b"\xea1.jpg"],
    "in two spellings": [b"FRAME_1.JPG", b"frame_1.jpg"],
    "of times": [b"20240131120000.jpg", b"99991231235959.jpg"],
    "one alone": [b"frame_000001.jpg"],
    "one again and again": [b"frame_000001.jpg"] * 3,
    "none": [],
}


@pytest.mark.parametrize("names", [*NUMBERED.values(), *OTHERS.values()], ids=[*NUMBERED, *OTHERS])
def test_every_name_comes_back(names: list[bytes]) -> None:
    kept = compact_names(names)
    assert len(kept) == len(names)
    assert kept.tolist() == names
    assert [bytes(kept[frame]) for frame in range(len(names))] == names
    with pytest.raises(IndexError):
        kept[len(names)]


@pytest.mark.parametrize(("which", "runs"), [("without gaps", 1), ("beginning high", 2), ("of two", 2)])
def test_numbered_names_cost_memory_per_gap_alone(which: str, runs: int) -> None:
    kept = compact_names(NUMBERED[which])
    assert isinstance(kept, NumberedNames)
    assert kept.runs.nbytes == 8 * runs


@pytest.mark.parametrize("names", OTHERS.values(), ids=OTHERS)
def test_other_names_are_kept_one_by_one(names: list[bytes]) -> None:
    assert isinstance(compact_names(names), np.ndarray)


def test_a_folder_knows_the_path_of_every_frame(tmp_path: Path) -> None:
    for name in (*NUMBERED["beginning high"], b"cover.txt"):
        (tmp_path / name.decode()).touch()
    folder = FrameFolder.listed(tmp_path)
    assert isinstance(folder.names, NumberedNames)
    expected = [tmp_path / name.decode() for name in NUMBERED["beginning high"]]
    assert [folder.frame_path(frame) for frame in range(len(folder))] == expected
