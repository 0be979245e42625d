"""Checkpoint files that are there whole or not at all."""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from depression_vr.errors import UserError
from depression_vr.files import replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes each checkpoint under a temporary name and renames it.

    Lightning's own writer goes through the system's folder for temporary files, which may be another disk:
    a move from there is a copy, and a copy can be cut off.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            UserError: the file system refuses; an earlier checkpoint of that name is as it was.
        """
        # in memory first: torch's own writer hides what the file system says
        serialised = io.BytesIO()
        torch.save(checkpoint, serialised)
        try:
            with replacing(Path(path)) as file:
                file.write(serialised.getbuffer())
        except OSError as error:
            megabytes = serialised.getbuffer().nbytes / 2**20
            raise UserError(
                f"a checkpoint of {megabytes:.0f} MiB cannot be written: {error.strerror}",
                where=str(path),
                fix="make room; checkpoints written before are intact",
            ) from error
