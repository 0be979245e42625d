"""Compare runs, from their directories: tables, intervals, paired tests and a page to look at.

``python -m depression_vr.compare runs=outputs``
``python -m depression_vr.compare runs=outputs/experiments group_by=model,data``
"""

import sys
from pathlib import Path
from typing import Annotated

from omegaconf import DictConfig
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from depression_vr.comparison.console import print_comparison
from depression_vr.comparison.grouping import grouped
from depression_vr.comparison.manifests import refuse_other_manifests
from depression_vr.comparison.measuring import Comparison, compare
from depression_vr.comparison.numbering import without_ids
from depression_vr.comparison.page import write_page
from depression_vr.comparison.reading import FinishedRun, LeftOut, read_runs
from depression_vr.comparison.tables import write_tables
from depression_vr.comparison.writing import write_latex, write_markdown
from depression_vr.entry import entry_point
from depression_vr.errors import Problem, UserError
from depression_vr.keys import A_LIST, APath, keys_of
from depression_vr.output import refused_write
from depression_vr.runs.listing import find_runs, folders_of_runs
from depression_vr.runs.run import Run

_GROUP_BY = "group_by="
_MOST_NAMED = 10
_MOST_RESAMPLES = 1_000_000  # all of them are in memory at once

_NotEmpty = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=ConfigDict(coerce_numbers_to_str=True))
class Wanted:
    """The keys of ``conf/compare.yaml``; a list of one may be without brackets."""

    runs: Annotated[list[APath], A_LIST, Field(min_length=1)]
    group_by: Annotated[Annotated[list[_NotEmpty], Field(min_length=1)] | None, A_LIST]
    out: APath
    show_ids: bool
    resamples: Annotated[int, Field(ge=999, le=_MOST_RESAMPLES)]


@entry_point("compare")
def _command(config: DictConfig) -> None:
    wanted = keys_of(config, Wanted)
    folder = _output(wanted.out)
    found = find_runs(folders_of_runs(wanted.runs))
    read = read_runs(sorted({run.resolve(): run for run in found}.values()))
    runs = [run for run in read if isinstance(run, FinishedRun)]
    left_out = [run for run in read if isinstance(run, LeftOut)]
    groups, more_left_out, remarks = grouped(runs, wanted.group_by)
    refuse_other_manifests(groups)
    left_out += more_left_out
    if not groups:
        raise UserError(
            "there is no run to compare:",
            problems=[Problem(str(run.folder), run.reason) for run in left_out[:_MOST_NAMED]],
            where="config key runs",
            fix="name folders with finished runs; `python -m depression_vr.runs` lists all",
        )
    if not wanted.show_ids:
        groups = without_ids(groups)
    comparison = compare(groups, left_out, remarks, resamples=wanted.resamples, shows_ids=wanted.show_ids)
    try:
        written = _write(folder, comparison)
    except OSError as error:
        raise refused_write(error, folder) or error from error
    print_comparison(comparison, written)


def _write(folder: Path, comparison: Comparison) -> list[Path]:
    written = write_tables(folder, comparison)
    for name, write in (
        ("comparison.md", write_markdown),
        ("comparison.tex", write_latex),
        ("comparison.html", write_page),
    ):
        write(folder / name, comparison)
        written.append(folder / name)
    return written


def _output(folder: Path) -> Path:
    """The folder to write to, which is in no run directory: what a run leaves stays as it is."""
    for above in (folder.absolute(), *folder.absolute().parents):
        if Run(above).record_file.is_file():
            raise UserError(
                "the comparison would be written into a run directory",
                where=f"config key out: {above}",
                fix="name another folder with out=FOLDER",
            )
        if above.exists() and not above.is_dir():
            raise UserError(
                "there is a file of this name", where=f"config key out: {above}", fix="name a folder"
            )
    return folder


def main() -> None:
    """Compare runs and write the comparison."""
    # Hydra takes a,b for a sweep, which there is none of here
    sys.argv[1:] = [
        f"{_GROUP_BY}[{argument.removeprefix(_GROUP_BY).strip(',')}]"
        if argument.startswith(_GROUP_BY) and "," in argument and "[" not in argument
        else argument
        for argument in sys.argv[1:]
    ]
    _command()


if __name__ == "__main__":
    main()
