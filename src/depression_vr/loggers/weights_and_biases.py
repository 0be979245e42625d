"""The W&B logger that configs name, which asks for nothing and waits for nothing."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import wandb
from pydantic import ConfigDict, PositiveInt, Strict, validate_call

from depression_vr.loggers.resumable_wandb import ResumableWandbLogger
from depression_vr.loggers.wandb_artifacts import Kind, refuse_telling_paths
from depression_vr.loggers.wandb_privacy import QUIET_ENVIRONMENT, Sharing, quiet_settings
from depression_vr.loggers.wandb_reach import Mode, wandb_mode

_INIT_SECONDS = 15.0
_FINISH_SECONDS = 20.0


@validate_call(config=ConfigDict(coerce_numbers_to_str=True))
def wandb_logger(
    project: str,
    name: str,
    save_dir: str,
    mode: Mode = "auto",
    group: str | None = None,
    job_type: str | None = None,
    tags: Sequence[str | None] = (),
    share_ids: Annotated[bool, Strict()] = False,
    share_faces: Annotated[bool, Strict()] = False,
    faces: PositiveInt = 16,
    artifacts: Sequence[Kind] = (),
) -> ResumableWandbLogger:
    """A W&B logger that asks for nothing and, unless told to be online, waits for nothing.

    Args:
        project: W&B project.
        name: of the run.
        save_dir: folder for W&B's files.
        mode: as `wandb_mode` takes it.
        group: of runs that belong together.
        job_type: what kind of run it is.
        tags: of the run.
        share_ids: send the videos' own ids, recordings and subjects.
        share_faces: send the middle frame of the videos with the largest errors.
        faces: of so many videos.
        artifacts: which files of the run are sent.

    Raises:
        UserError: online without being logged in.
    """
    settings = wandb.Settings(
        **quiet_settings(),
        init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT", _INIT_SECONDS)),
        finish_timeout=float(os.environ.get("WANDB_FINISH_TIMEOUT", _FINISH_SECONDS)),
    )
    sharing = Sharing(ids=share_ids, faces=share_faces, most_faces=faces)
    os.environ.update(QUIET_ENVIRONMENT)  # W&B has no setting for it
    started_as = wandb_mode(mode)
    if started_as != "disabled":
        sharing.say()
    if artifacts and started_as == "online":
        refuse_telling_paths(Path(save_dir))
    return ResumableWandbLogger(
        project=project,
        name=name,
        save_dir=save_dir,
        group=group,
        job_type=job_type,
        tags=[tag for tag in tags if tag],
        mode=started_as,
        settings=settings,
        sharing=sharing,
        artifacts=tuple(artifacts),
    )
