"""How a sweep ends for its user."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from depression_vr.errors import INTERRUPTED, USER_ERROR, UserError, first_line


@contextmanager
def told_in_one_message() -> Iterator[None]:
    """End the command with a message, no traceback and exit code 2 where the user can mend what is wrong.

    Hydra shows the traceback of whatever a sweeper raises, and exits with 1.
    """
    try:
        yield
    except UserError as error:
        _end(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        _end(first_line(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def said(error: object) -> str:
    """What has ended a run, in one line, with its kind where it is no user's error; the log has the rest."""
    return (
        first_line(error) if isinstance(error, UserError) else f"{type(error).__name__}: {first_line(error)}"
    )


def _end(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)  # Hydra's handlers may be those of a run by now
    sys.exit(USER_ERROR)
