"""Send the W&B files of many runs."""

import logging
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from depression_vr.errors import Problem, UserError
from depression_vr.keys import A_LIST, APath
from depression_vr.loggers.wandb_reach import server_responds, wandb_server
from depression_vr.parallel import Bar, Tick, run_jobs
from depression_vr.runs.listing import find_runs, folders_of_runs
from depression_vr.wandb_project.access import require_wandb
from depression_vr.wandb_project.sending import NoAnswerError, NotSentError, send
from depression_vr.wandb_project.unsent import Found, Unsent, find_unsent

log = logging.getLogger(__name__)

_OTHERWISE = "the files stay where they are until then"


@dataclass(frozen=True)
class Wanted:
    """The keys of ``conf/wandb_sync.yaml``; a list of one may be without brackets."""

    runs: Annotated[list[APath], Field(min_length=1), A_LIST]
    project: str | None
    entity: str | None
    online: bool
    dry_run: bool


def sync(wanted: Wanted) -> None:
    """Send what W&B has not got, and print the address of each run.

    Raises:
        UserError: a folder is not there, there is no key or no server, or runs could not be sent.
    """
    found = find_unsent(find_runs(folders_of_runs(wanted.runs)), online=wanted.online)
    _say_what_stays(found)
    if wanted.dry_run:
        for unsent in found.unsent:
            for files in unsent.files:
                print(files.folder)
    elif found.unsent:
        require_wandb(_OTHERWISE)
        _send_all(found.unsent, wanted)
    else:
        print(f"nothing to send; {found.sent} {_runs(found.sent)} sent before")


def _say_what_stays(found: Found) -> None:
    were_online = sum(not files.is_offline for unsent in found.unsent for files in unsent.files)
    if were_online:
        log.warning("warning: artifacts that a run has not sent while it was online are not sent later")
    for run in found.running:
        log.warning("not sent, since it is running: %s", run)
    if found.online:
        log.warning(
            "%d %s online; online=true sends their files again, for those whose server went away",
            len(found.online),
            "run was" if len(found.online) == 1 else "runs were",
        )


def _send_all(unsent: Sequence[Unsent], wanted: Wanted) -> None:
    problems: list[Problem] = []
    addresses: list[str] = []
    work = partial(_send, project=wanted.project, entity=wanted.entity)
    # one at a time: W&B's own process sends the files of a run in parallel
    ended = run_jobs(work, unsent, workers=1, ticks=Bar("sending", "runs", len(unsent)))
    with closing(ended):
        for done in ended:
            run = done.job.run
            if done.error is None:
                addresses.append(f"{run}  {done.result}")
            elif isinstance(done.error, NotSentError):
                problems.append(Problem(str(run), str(done.error)))
                if isinstance(done.error, NoAnswerError) or not server_responds():
                    break
            else:
                raise done.error
    for address in addresses:
        print(address)
    print(f"{len(addresses)} of {len(unsent)} {_runs(len(unsent))} sent")
    if problems:
        raise UserError(
            f"{len(unsent) - len(addresses)} of {len(unsent)} {_runs(len(unsent))} not sent:",
            problems=problems,
            where=f"server {wandb_server().geturl()}",
            fix="the same command tries again",
        )


def _send(unsent: Unsent, tick: Tick, *, project: str | None, entity: str | None) -> str:
    try:
        return send(unsent, project=project, entity=entity)
    finally:
        tick()


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"
