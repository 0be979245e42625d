"""List runs, with their status and metrics.

``python -m depression_vr.runs``
``python -m depression_vr.runs status=finished sort=mae limit=10``
"""

from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.keys import A_LIST
from depression_vr.runs.console import print_runs
from depression_vr.runs.listing import SortKey, Status, find_runs, in_order, summaries

_ROOTS = (Path("outputs"), Path("multirun"))


@dataclass(frozen=True, config=ConfigDict(coerce_numbers_to_str=True))
class Wanted:
    """The keys of ``conf/runs.yaml``; a list of one may be without brackets."""

    root: Annotated[list[str] | None, A_LIST]
    status: Annotated[list[Status] | None, A_LIST]
    sort: SortKey
    limit: PositiveInt | None


@entry_point("runs")
def main(config: DictConfig) -> None:
    """Print one row per run."""
    keys: Any = OmegaConf.to_container(config, resolve=True)
    wanted = Wanted(**keys)
    runs = in_order(summaries(find_runs(_roots(wanted.root))), wanted.sort)
    chosen = [run for run in runs if wanted.status is None or run.status in wanted.status]
    print_runs(chosen[: wanted.limit], len(chosen))


def _roots(given: list[str] | None) -> list[Path]:
    roots = _ROOTS if given is None else [Path(root).expanduser() for root in given]
    there = [root for root in roots if root.is_dir()]
    if not there or (given is not None and len(there) < len(roots)):
        missing = [str(root) for root in roots if root not in there]
        raise UserError(
            f"there is no folder {' and no folder '.join(missing)}",
            where="config key root",
            fix="name the folder that the runs are in with root=FOLDER",
        )
    return there


if __name__ == "__main__":
    main()
