"""Published numbers beside the measured ones."""

from collections.abc import Sequence

from depression_vr.experiments.recipes import Recipe

HEADING = "Published, not measured here"

_COLUMNS = ("recipe", "MAE", "RMSE", "source")


def published_table(recipes: Sequence[Recipe], corpora: Sequence[str]) -> str:
    """A table in Markdown of what is published on each corpus, and that it is; empty where nothing is.

    Args:
        recipes: as `find_recipes` gives them.
        corpora: names as in a run's config, such as ``avec2014``.
    """
    rows = [
        (
            f"{recipe.title} on {recipe.corpus}",
            f"{published.mae:.2f}",
            f"{published.rmse:.2f}",
            published.source,
        )
        for recipe in recipes
        if (published := recipe.published) is not None and recipe.corpus.lower() in corpora
    ]
    if not rows:
        return ""
    table = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    lines = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([f"**{HEADING}.** Test partition, in points, as the authors give them:", "", *lines])
