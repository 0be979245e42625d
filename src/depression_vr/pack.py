"""Pack the frames of every video into one file, which a training reads as it reads folders of images.

``python -m depression_vr.pack frames=FACES out=PACKED``
"""

import logging
from pathlib import Path

from omegaconf import DictConfig

from depression_vr.data.packing import pack, packings
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.parallel import Bar, do_all
from depression_vr.runs.resume_files import remove_half_written

log = logging.getLogger(__name__)


@entry_point("pack", goes_on=True)
def main(config: DictConfig) -> None:
    """Pack what is not packed; goes on where it was interrupted."""
    root, out = (_folder(config, key) for key in ("frames", "out"))
    workers = _workers(config)
    jobs = packings(root, out)
    remove_half_written(out)
    total = sum(len(job.frames) for job in jobs)
    do_all(pack, jobs, workers=workers, ticks=Bar("Packing", "frames", total))
    videos = sum(len(job.frames) > 0 for job in jobs)
    print(f"packed: {total} frames of {videos} videos in {out}")


def _folder(config: DictConfig, key: str) -> Path:
    given = config[key]
    if not isinstance(given, str):
        raise UserError(f"{key}={given} is no folder", where=f"config key {key}", fix="name a folder")
    return Path(given).expanduser().absolute()


def _workers(config: DictConfig) -> int | None:
    given = config.workers
    if given is not None and type(given) is not int:
        raise UserError(
            f"workers={given} is no whole number",
            where="config key workers",
            fix="name one, or leave it out for one per core",
        )
    return given


if __name__ == "__main__":
    main()
