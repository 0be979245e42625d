"""What a W&B server gets of an offline run: what `wandb_sync` sends of its files."""

from pathlib import Path

import pytest

from depression_vr.wandb_project.sending import send
from depression_vr.wandb_project.unsent import find_unsent
from wandb_server import WandbServer


def synced(run_folder: Path) -> WandbServer:
    """Send the offline W&B run of a run directory to a server on this machine; returns what that has got."""
    (unsent,) = find_unsent([run_folder], online=False).unsent
    server = WandbServer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_BASE_URL", server.url)
        patch.setenv("WANDB_API_KEY", "k" * 40)
        try:
            send(unsent, project=None, entity=None)
        finally:
            server.go_away()
    return server
