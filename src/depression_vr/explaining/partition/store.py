"""What was found of each video, a small file each, so that a look at a partition can go on."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from depression_vr.explaining.partition.looking import LookedVideo
from depression_vr.explaining.sanity.checking import Checked
from depression_vr.explaining.sanity.deletion import Curves
from depression_vr.files import replacing


class LookedVideos:
    """Files of one folder, by row of the manifest.

    Args:
        folder: made when the first file is written.
        found_with: all that the content depends on; what was found with anything else does not count.
    """

    def __init__(self, folder: Path, found_with: dict[str, Any]) -> None:
        self.folder = folder
        self.found_with = json.dumps(found_with, sort_keys=True)

    def path(self, row: int) -> Path:
        """The file of a video."""
        return self.folder / f"{row:06d}.npz"

    def has(self, row: int, *, checked: bool) -> bool:
        """Whether a video is there, with its sanity checks where they are asked for."""
        try:
            with np.load(self.path(row), allow_pickle=False) as file:
                return str(file["found_with"]) == self.found_with and (not checked or "deletion" in file)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return False

    def keep(self, row: int, looked: LookedVideo) -> None:
        """Write a video."""
        arrays: dict[str, Any] = {
            "found_with": np.array(self.found_with),
            "face": looked.face,
            "maps": looked.maps,
            "shares": looked.shares,
            "substituted": np.array(looked.substituted),
        }
        if looked.checked is not None:
            checked = looked.checked._asdict()
            arrays |= {**checked.pop("curves")._asdict(), **checked}
        with replacing(self.path(row)) as file:
            np.savez(file, **arrays)

    def read(self, row: int) -> LookedVideo:
        """Read a video that is there."""
        with np.load(self.path(row), allow_pickle=False) as file:
            checked = None
            if "deletion" in file:
                rest = {key: file[key] for key in Checked._fields if key != "curves"}
                checked = Checked(Curves(file["deletion"], file["insertion"]), **rest)
            substituted = int(file["substituted"])
            return LookedVideo(file["face"], file["maps"], file["shares"], substituted, checked)
