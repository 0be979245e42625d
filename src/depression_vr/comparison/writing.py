"""The two tables as Markdown and as LaTeX."""

from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from depression_vr.comparison.cells import (
    NOTHING,
    PLUS_MINUS,
    TEXT_HEADINGS,
    Cells,
    group_table,
    left_out,
    notes,
    pair_count,
    pair_table,
)
from depression_vr.comparison.measuring import Comparison
from depression_vr.files import write_text

_LATEX = {PLUS_MINUS: r"$\pm$", "\N{MINUS SIGN}": "$-$", "…": r"\dots{}", NOTHING: "--", "<": "$<$"}
_SYMBOLS = {"p": "$p$", "p (Holm)": "$p$ (Holm)", r"d\_z": "$d_z$"}
"""Escaped headings, and how they are set."""


def write_markdown(file: Path, comparison: Comparison) -> None:
    """Write both tables, the notes and what was left out."""
    parts = ["# Comparison of runs", _markdown(group_table(comparison.groups))]
    if comparison.pairs:
        parts += ["## Pairs", _markdown(pair_table(comparison.pairs))]
    parts += ["## Notes", "\n".join(f"- {_markdown_text(note)}" for note in notes(comparison))]
    if comparison.left_out:
        lines = [f"- {_markdown_text(line)}" for line in left_out(comparison)]
        parts += [f"## {len(comparison.left_out)} left out", "\n".join(lines)]
    write_text(file, "\n\n".join(parts) + "\n")


def _markdown(cells: Cells) -> str:
    headings, *rows = cells
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_markdown_text, line))} |" for line in lines)


def _markdown_text(text: str) -> str:
    for special in ("\\", "|", "_", "*", "<", "`"):
        text = text.replace(special, f"\\{special}")
    return text


def write_latex(file: Path, comparison: Comparison) -> None:
    r"""Write both tables for ``\input``; they want ``\usepackage{booktabs}``."""
    of_others = " Published numbers were not measured by these runs."
    groups = _latex(
        group_table(comparison.groups),
        "Error and agreement on the test partition: mean and standard deviation over seeds, and 95\\% BCa "
        f"bootstrap intervals of the mean ({comparison.resamples} resamples of subjects with their videos)."
        + (of_others if any(one.group.published for one in comparison.groups) else ""),
        "tab:groups",
    )
    pairs = _latex(
        pair_table(comparison.pairs),
        "Difference in absolute error per video, first less second, in points; $p$ of a permutation test by "
        f"subject, corrected (Holm) for {pair_count(comparison)}; $d_z$ over subjects.",
        "tab:pairs",
    )
    head = "% needs \\usepackage{booktabs}\n"
    write_text(file, head + groups + ("\n" + pairs if comparison.pairs else ""))


def _latex(cells: Cells, caption: str, label: str) -> str:
    headings, *rows = cells
    table = pd.DataFrame(rows, columns=pd.Index(headings))  # several columns have one heading
    styler = Styler(table, uuid="").format(escape="latex").hide(axis="index")
    styler = styler.format_index(
        lambda text: _SYMBOLS.get(str(text), str(text)), axis="columns", escape="latex"
    )
    text = styler.to_latex(
        hrules=True,
        column_format="".join("l" if heading in TEXT_HEADINGS else "r" for heading in headings),
        caption=caption,
        label=label,
        position="t",
        position_float="centering",
    )
    for character, command in _LATEX.items():
        text = text.replace(character, command)
    return text
