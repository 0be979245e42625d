"""Print which frames of which video make which clip, without reading a pixel.

``python -m depression_vr.clips data=avec2014 data.root=FOLDER partition=test``
"""

from collections.abc import Iterator

from omegaconf import DictConfig
from pydantic import NonNegativeInt
from pydantic.dataclasses import dataclass

from depression_vr import assembly
from depression_vr.data.clips import Window
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.manifest import Partition
from depression_vr.entry import entry_point
from depression_vr.errors import UserError
from depression_vr.keys import keys_of


@dataclass(frozen=True)
class _Keys:
    partition: Partition
    epoch: NonNegativeInt | None


@entry_point("clips")
def main(config: DictConfig) -> None:
    """Print one line per clip: video, window, first and last frame, and their files."""
    keys = keys_of(config, _Keys)
    datamodule = assembly.build_datamodule(config)
    manifest, clips = datamodule.manifest, _clips(datamodule, keys.partition, keys.epoch)
    print("video_id", "window", "first_frame", "last_frame", "first_file", "last_file", sep="\t")
    for video, window, frames in clips:
        files = (manifest.folders[video].frame_path(frame).name for frame in (frames[0], frames[-1]))
        print(manifest.table["video_id"].iloc[video], window, frames[0], frames[-1], *files, sep="\t")


def _clips(datamodule: ClipDataModule, partition: Partition, epoch: int | None) -> Iterator[Window]:
    if epoch is None:
        windows = datamodule.windows(partition)
        return (windows.window(place) for place in range(len(windows)))
    if partition != "training":
        raise UserError(
            f"the {partition} partition has windows, not random clips",
            where="config key epoch",
            fix="leave epoch out, or use partition=training",
        )
    clips, order = datamodule.training_clips(), datamodule.training_order()
    order.set_epoch(epoch)
    return (clips.clip(key) for key in order)


if __name__ == "__main__":
    main()
