"""Pack the frames of every video into one file, which a training reads as it reads folders of images.

``python -m depression_vr.pack frames=FACES out=PACKED``
"""

from omegaconf import DictConfig
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.data.packing import pack, packings
from depression_vr.entry import entry_point
from depression_vr.files import remove_half_written
from depression_vr.keys import APath, keys_of
from depression_vr.parallel import Bar, do_all


@dataclass(frozen=True)
class _Keys:
    frames: APath
    out: APath
    workers: PositiveInt | None


@entry_point("pack", goes_on=True)
def main(config: DictConfig) -> None:
    """Pack what is not packed; goes on where it was interrupted."""
    keys = keys_of(config, _Keys)
    out = keys.out.absolute()
    jobs = packings(keys.frames.absolute(), out)
    remove_half_written(out)
    total = sum(len(job.frames) for job in jobs)
    do_all(pack, jobs, workers=keys.workers, ticks=Bar("Packing", "frames", total))
    videos = sum(len(job.frames) > 0 for job in jobs)
    print(f"packed: {total} frames of {videos} videos in {out}")


if __name__ == "__main__":
    main()
