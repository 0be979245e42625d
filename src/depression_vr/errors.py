"""The one error for what a user can get wrong."""

from collections.abc import Sequence
from dataclasses import dataclass


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
    """

    def __init__(self, what: str, where: str = "", fix: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(what, where, fix, tuple(problems))  # worker processes pickle by these
        self.what = what
        self.where = where
        self.fix = fix
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [self.what, *(f"  {problem}" for problem in self.problems)]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  what to do: {self.fix}")
        return "\n".join(lines)
