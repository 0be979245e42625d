"""What a W&B server gets of an offline run: what W&B's own reader finds in its files."""

import os
import subprocess
import sys
from pathlib import Path

from depression_vr.loggers.wandb_privacy import SYNC_ENVIRONMENT
from wandb_server import WandbServer


def synced(run_folder: Path) -> WandbServer:
    """Send the offline W&B run of a run directory to a server on this machine; returns what that has got."""
    (files,) = run_folder.glob("wandb/offline-run-*")
    server = WandbServer()
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    environment |= SYNC_ENVIRONMENT | {
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": "k" * 40,
    }
    try:
        subprocess.run(
            [Path(sys.executable).with_name("wandb"), "sync", files.name],
            cwd=files.parent,  # from where files of artifacts are sent
            env=environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
    finally:
        server.go_away()
    return server
