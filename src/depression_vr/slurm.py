"""What a job asks of SLURM."""

import logging
import os
import subprocess

log = logging.getLogger(__name__)


def requeue_slurm_job() -> None:
    """Ask SLURM to run this job again; warns where it does not."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        log.warning("warning: SLURM did not requeue job %r: %s", job, error)
    else:
        log.info("SLURM runs job %s again", job)
