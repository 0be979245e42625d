"""The table of what was published and what was measured here, in Markdown."""

import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from depression_vr.errors import UserError
from depression_vr.experiments.recipes import Recipe
from depression_vr.experiments.results import Measurement
from depression_vr.files import write_text

BEGIN = "<!-- table: written by python -m depression_vr.experiments -->"
END = "<!-- end of table -->"

_HEADINGS = ("recipe", "command", "published MAE / RMSE", "measured here MAE / RMSE", "fingerprint")


def tables(recipes: Sequence[Recipe], measurements: Sequence[Measurement]) -> str:
    """A table for each corpus and, below it, which ablations are ahead of their full network.

    Args:
        recipes: in the order of the rows.
        measurements: of any recipes; those with other settings than a recipe has now do not count.
    """
    parts: list[str] = []
    for corpus, group in groupby(recipes, key=lambda recipe: recipe.corpus):
        shown = [_Shown(recipe, measurements) for recipe in group]
        rows = [_HEADINGS, ("---",) * len(_HEADINGS), *(row.cells() for row in shown)]
        table = "\n".join(f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows)
        parts += [f"## {corpus[0].upper()}{corpus[1:]}", table, *_ablations(corpus, shown)]
    return "\n\n".join(parts)


def write_table(file: Path, generated: str) -> None:
    """Put the tables between their two marks; what a person wrote around them stays.

    Raises:
        UserError: the file has not both marks, or cannot be read or written.
    """
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else f"# Experiments\n\n{BEGIN}\n{END}\n"
        after = with_tables(before, generated, file)
        if after != before or not file.exists():
            write_text(file, after)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the file of the table cannot be read and written: {error}",
            where=str(file),
            fix="save it as UTF-8, or remove it",
        ) from error


def with_tables(text: str, generated: str, file: Path) -> str:
    """The text of ``file`` with the tables between their two marks.

    Raises:
        UserError: the text has not both marks.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise UserError(
            "the marks between which the table goes are not there",
            where=str(file),
            fix=f"add the lines `{BEGIN}` and `{END}`",
        )
    return f"{head}{BEGIN}\n\n{generated}\n\n{END}{tail}"


class _Shown:
    """A recipe and its measurements that count."""

    def __init__(self, recipe: Recipe, measurements: Sequence[Measurement]) -> None:
        own = [row for row in measurements if row.recipe == recipe.name and row.seed in recipe.seeds]
        self.recipe = recipe
        self.measured = [row for row in own if row.settings == recipe.settings]
        self.datasets = {row.dataset for row in self.measured}
        self.is_stale = len(self.measured) < len(own)

    def cells(self) -> tuple[str, ...]:
        recipe = self.recipe
        published = recipe.published
        return (
            recipe.title,
            f"`{' '.join(filter(None, (f'experiment={recipe.name}', recipe.arguments)))}`",
            f"{published.mae:.2f} / {published.rmse:.2f} ({published.source})" if published else "none",
            self._result(),
            ", ".join(sorted({f"`{row.fingerprint}`" for row in self.measured})) or f"`{recipe.settings}`",
        )

    @property
    def maes(self) -> dict[int, float]:
        """Of each seed."""
        return {row.seed: row.mae for row in self.measured}

    @property
    def is_complete(self) -> bool:
        """Whether all seeds are measured, on the same data."""
        return len(self.measured) == len(set(self.recipe.seeds)) and len(self.datasets) == 1

    def _result(self) -> str:
        wanted, got = len(set(self.recipe.seeds)), len(self.measured)
        if len(self.datasets) > 1:
            return "measured on different data"
        if got:
            of = "" if self.is_complete else f" of {wanted}"
            seeds = f"{got}{of} {'seed' if wanted == 1 else 'seeds'}"
            maes, rmses = list(self.maes.values()), [row.rmse for row in self.measured]
            return f"{_spread(maes)} / {_spread(rmses)} ({seeds})"
        if self.is_stale:
            return "not measured with these settings"
        return f"not measured: needs {self.recipe.needs}" if self.recipe.needs else "not measured yet"


def _spread(values: Sequence[float]) -> str:
    """Mean and sample standard deviation (n - 1), which one value has not."""
    mean = f"{statistics.fmean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.2f}"


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")


def _ablations(corpus: str, shown: Sequence[_Shown]) -> Iterator[str]:
    """Which ablations have a lower mean MAE, over the seeds that both have, than the network that they
    leave a part out of.
    """
    by_name = {row.recipe.name: row for row in shown}
    pairs = [(row, by_name[row.recipe.ablation_of]) for row in shown if row.recipe.ablation_of in by_name]
    ahead: list[str] = []
    compared: list[str] = []  # the seeds of each pair
    for part, full in pairs:
        seeds = sorted(part.maes.keys() & full.maes.keys())
        if not (seeds and part.is_complete and full.is_complete and part.datasets == full.datasets):
            continue
        over = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
        compared.append(over)
        ours, theirs = ([row.maes[seed] for seed in seeds] for row in (part, full))
        if statistics.fmean(ours) < statistics.fmean(theirs):
            ahead.append(
                f"On the {corpus} corpus {part.recipe.title} (MAE {_spread(ours)}) "
                f"is ahead of {full.recipe.title} (MAE {_spread(theirs)}) over {over}."
            )
    if ahead:
        yield "\n".join(ahead)
    elif compared:
        which = "no ablation" if len(compared) == len(pairs) else "no ablation of those measured"
        over = " or ".join(dict.fromkeys(compared))
        yield f"On the {corpus} corpus {which} is ahead of its full network over {over}."
