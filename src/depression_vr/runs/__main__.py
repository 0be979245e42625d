"""List runs, with their status and metrics.

``python -m depression_vr.runs``
``python -m depression_vr.runs status=finished sort=mae limit=10``
"""

from pathlib import Path
from typing import Annotated

from omegaconf import DictConfig
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.entry import entry_point
from depression_vr.keys import A_LIST, APath, keys_of
from depression_vr.runs.console import print_runs
from depression_vr.runs.listing import SortKey, Status, find_runs, folders_of_runs, in_order, summaries

_ROOTS = (Path("outputs"), Path("multirun"))


@dataclass(frozen=True)
class Wanted:
    """The keys of ``conf/runs.yaml``; a list of one may be without brackets."""

    root: Annotated[list[APath] | None, A_LIST]
    status: Annotated[list[Status] | None, A_LIST]
    sort: SortKey
    limit: PositiveInt | None


@entry_point("runs")
def main(config: DictConfig) -> None:
    """Print one row per run."""
    wanted = keys_of(config, Wanted)
    usual = [root for root in _ROOTS if root.is_dir()] or _ROOTS
    roots = folders_of_runs(usual if wanted.root is None else wanted.root, "root")
    runs = in_order(summaries(find_runs(roots)), wanted.sort)
    chosen = [run for run in runs if wanted.status is None or run.status in wanted.status]
    print_runs(chosen[: wanted.limit], len(chosen))


if __name__ == "__main__":
    main()
