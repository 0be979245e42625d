"""What is wrong with a corpus, told in one error."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from depression_vr.errors import Problem, UserError


def repeated(column: str, values: Iterable[tuple[str, str]]) -> list[Problem]:
    """A problem for every value that stands in several sources.

    Args:
        column: what the values are.
        values: each with its source, such as ``videos.csv line 12``, before it.
    """
    sources = defaultdict(list)
    for source, value in values:
        sources[value].append(source)
    return [
        Problem(", ".join(same), f"the {column} {value!r} occurs {len(same)} times")
        for value, same in sources.items()
        if len(same) > 1
    ]


def stop_at(source: str, problems: Sequence[Problem], undone: str) -> None:
    """Raise one error with all problems of a corpus, if there are any.

    Args:
        source: the corpus.
        problems: all of them.
        undone: what is therefore done with none of the videos, such as ``trained``.

    Raises:
        UserError: there are.
    """
    if problems:
        raise UserError(
            f"{source} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:",
            problems=problems,
            fix=f"correct the rows or files named above; nothing was {undone}",
        )
