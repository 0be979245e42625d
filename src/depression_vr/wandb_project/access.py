"""That W&B can be reached, said in one message where it cannot."""

from depression_vr.errors import UserError
from depression_vr.loggers.wandb_reach import is_logged_in, server_answers, server_responds, wandb_server


def require_wandb(otherwise: str) -> None:
    """See that there is a key and a server, without asking and in seconds.

    Args:
        otherwise: what can be done without them.

    Raises:
        UserError: there is none.
    """
    server = wandb_server().geturl()
    if not is_logged_in():
        raise UserError(
            "W&B has no key for this user",
            where=f"server {server}",
            fix="run `wandb login` or set WANDB_API_KEY, and WANDB_BASE_URL where the server is your own; "
            f"{otherwise}",
        )
    if not (server_answers() and server_responds()):
        raise UserError(
            "W&B does not answer",
            where=f"server {server}",
            fix=f"see that this machine reaches it, or set WANDB_BASE_URL to your own; {otherwise}",
        )
