"""W&B's own process, which a training outlives."""

import wandb
from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

FAILURES = (wandb.Error, OSError, HandleAbandonedError, MailboxClosedError)
"""What calls of a W&B run raise when W&B refuses them, or when its process has died."""
DEATHS = (ConnectionError, HandleAbandonedError, MailboxClosedError)
"""Those of them that a process leaves that has died."""


def forget_dead_service() -> None:
    """Let the next W&B run of this process have a process of W&B's of its own."""
    try:
        wandb.teardown()
    except (*DEATHS, SystemExit):
        pass  # it has been forgotten by then; W&B would end this process as its own has ended
    wandb.run = None  # else the next run would go on with it
