"""What W&B may know of the people in a corpus and of the machine of a run."""

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from depression_vr.files import write_csv

log = logging.getLogger(__name__)

QUIET_ENVIRONMENT = {"WANDB_ERROR_REPORTING": "false"}
"""For every use of W&B, which reports its own errors, with paths, to its server."""
SYNC_ENVIRONMENT = QUIET_ENVIRONMENT | {"WANDB__DISABLE_MACHINE_INFO": "true", "WANDB_PROGRAM": ""}
"""For ``wandb sync``, which would otherwise send the name of its host and the path of its program.

It has to begin in the folder ``wandb`` of the run directory, and without ``WANDB_SERVICE``, which would give
the work to a process that began elsewhere.
"""

_DIGITS = 16


@dataclass(frozen=True)
class Sharing:
    """What a user has asked to be sent of the evaluated videos.

    Attributes:
        ids: video ids, recordings and subjects in the place of salted ids.
        faces: the middle frame of the videos with the largest errors.
        most_faces: of so many videos.
    """

    ids: bool = False
    faces: bool = False
    most_faces: int = 16

    def say(self) -> None:
        """Say what will be sent, where it is more than by default."""
        if self.ids:
            log.warning(
                "warning: W&B gets the ids, recordings and subjects of the evaluated videos "
                "(logger.wandb.share_ids)"
            )
        if self.faces:
            log.warning(
                "warning: W&B gets pictures of faces: the middle frame of the %d evaluated videos with the "
                "largest errors (logger.wandb.share_faces). The licences of corpora usually forbid it: see "
                "yours",
                self.most_faces,
            )


def quiet_settings() -> dict[str, Any]:
    """Settings of W&B with which it sends no path and no name of host or user, and prints nothing.

    The command line, the working folder, the Python program, git's remote and what is printed stay here.
    Processor, memory, network and GPUs are measured.
    """
    return {
        "console": "off",
        "disable_git": True,
        "git_commit": "",  # of the environment
        "git_remote_url": "",
        "save_code": False,
        "silent": True,
        "host": "",
        "program": "",
        "x_disable_meta": True,
        "x_save_requirements": False,  # names private packages too; the run's record has them
        "x_stats_disk_paths": (),
    }


class SaltedIds:
    """Names for videos that lead back to them only with the salt, which stays in the run directory.

    Args:
        salt: of the run, in hexadecimal digits; another one for each run, so that the same video in two runs
            is not seen to be the same.
    """

    def __init__(self, salt: str) -> None:
        self.salt = salt

    @classmethod
    def new(cls) -> "SaltedIds":
        """With a random salt."""
        return cls(secrets.token_hex(32))

    def of(self, video_id: str) -> str:
        """HMAC-SHA256 of a video id under the salt, its first 16 hexadecimal digits."""
        digest = hmac.new(bytes.fromhex(self.salt), video_id.encode(), hashlib.sha256)
        return digest.hexdigest()[:_DIGITS]

    def write_key(self, file: Path, video_ids: pd.Series) -> None:
        """Write a CSV file that leads back: ``id,video_id``. It is for the owner of the run alone."""
        write_csv(file, pd.DataFrame({"id": video_ids.map(self.of), "video_id": video_ids}))
