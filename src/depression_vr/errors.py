"""The one error for what a user can get wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

USER_ERROR = 2
"""Exit code after wrong input."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell counts it."""
UNREAD = 141
"""Exit code where nobody reads on, such as ``head``, as a shell counts it."""
REQUEUE = 75
"""Exit code after a pre-emption: EX_TEMPFAIL, try again later."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where: a file, a file and row, or a config key."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class UserError(Exception):
    """Wrong input. An entry point prints it without a traceback and exits with code 2.

    Args:
        what: what is wrong, in one sentence.
        where: the file, the file and row, or the config key.
        fix: what to do about it.
        problems: every single problem, where one report covers many.

    Attributes:
        go_on: how to go on with what there is when that is done; whoever knows it adds it.
    """

    def __init__(self, what: str, where: str = "", fix: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(what, where, fix, tuple(problems))  # worker processes pickle by these
        self.what = what
        self.where = where
        self.fix = fix
        self.problems = tuple(problems)
        self.go_on = ""

    def __str__(self) -> str:
        lines = [self.what, *(f"  {problem}" for problem in self.problems)]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  what to do: {self.fix}")
        if self.go_on:
            lines.append(f"  to go on: {self.go_on}")
        return "\n".join(lines)


def first_line(error: object) -> str:
    """What an error says in one line, with the first of its problems where it announces some.

    Args:
        error: or its text. One that says nothing gives the name of its class.
    """
    line, _, others = str(error).partition("\n")
    if line.endswith(":"):
        line = f"{line} {others.partition(chr(10))[0].strip()}".strip()
    return line or (type(error).__name__ if isinstance(error, BaseException) else "")


def first_of(problems: Sequence[Problem], what: str, most: int = 10) -> list[Problem]:
    """So many of the problems, and how many there are more.

    Args:
        problems: of one kind.
        what: they are about, in the plural.
        most: to name.
    """
    more = len(problems) - most
    return [*problems[:most], *([Problem("and", f"{more} {what} more")] if more > 0 else [])]


class StoppedError(Exception):
    """A run was asked to stop and did. An entry point says how to go on and exits with the code.

    Args:
        by: the signal.
        exit_code: `INTERRUPTED` or `REQUEUE`.

    Attributes:
        checkpoint: from which the run goes on; None when it has none yet.
    """

    def __init__(self, by: str, exit_code: int) -> None:
        super().__init__(by, exit_code)
        self.by = by
        self.exit_code = exit_code
        self.checkpoint: str | None = None

    def __str__(self) -> str:
        return f"stopped by {self.by}"


class ProcessEndedError(Exception):
    """Another process of the run has ended, and has not said why."""
