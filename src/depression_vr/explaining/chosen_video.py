"""A video of a corpus that is to be explained."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from depression_vr.data.clips import Window
from depression_vr.data.frames import FrameFolder
from depression_vr.data.video_windows import VideoWindows
from depression_vr.explaining.choosing import spread
from depression_vr.explaining.frame_times import frame_times
from depression_vr.explaining.pictures.time_axis import TimeAxis
from depression_vr.trained import TrainedNetwork


@dataclass(frozen=True, eq=False)
class ChosenVideo:
    """A video and the network that it is shown to.

    Attributes:
        trained: the network.
        row: of the manifest.
        most: so many windows at most are explained, spread evenly; None for all.
    """

    trained: TrainedNetwork
    row: int
    most: int | None

    @property
    def folder(self) -> FrameFolder:
        """Its frames."""
        return self.trained.datamodule.manifest.folders[self.row]

    @property
    def facts(self) -> dict[str, Any]:
        """Its row of the corpus's table."""
        facts: pd.Series[Any] = self.trained.datamodule.manifest.table.iloc[self.row]
        return {str(key): value for key, value in facts.items()}

    @cached_property
    def cut(self) -> VideoWindows:
        """As an evaluation cuts it."""
        return self.trained.datamodule.video(self.folder)

    @cached_property
    def windows(self) -> list[Window]:
        """All of its windows."""
        return list(self.cut)

    @property
    def explained(self) -> list[Window]:
        """The windows that are explained."""
        return spread(self.windows, self.most)

    @cached_property
    def axis(self) -> TimeAxis:
        """Of time."""
        return TimeAxis(frame_times(self.folder, self.trained.config))
