"""How a sweep ends for its user."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from depression_vr.errors import INTERRUPTED, USER_ERROR, UserError


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
        _end(str(error).partition("\n")[0])
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def first_line(error: str) -> str:
    """Of an error, with the first of its problems where it announces some; the run's log has the others."""
    line, _, others = error.partition("\n")
    return f"{line} {others.partition(chr(10))[0].strip()}".strip() if line.endswith(":") else line


def _end(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)  # Hydra's handlers may be those of a run by now
    sys.exit(USER_ERROR)
