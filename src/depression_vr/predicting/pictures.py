"""Frames of a video with what the network looked at drawn over them."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass as pydantic_dataclass
from torch import nn

from depression_vr.errors import UserError
from depression_vr.explaining.attributions import attribute, methods_for, refuse_other_methods
from depression_vr.explaining.choosing import spread
from depression_vr.explaining.pictures.heat import heat, shown
from depression_vr.explaining.timeline import timeline
from depression_vr.predicting.inputs import ReadyVideo
from depression_vr.trained import TrainedNetwork

_SIDE = 160
_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """One frame.

    Attributes:
        url: of the frame, with its JPEG in it.
        overlaid: likewise, with importance drawn over it.
        frame: of the frames that there are, from 0.
        seconds: when it is; None where that is not known.
    """

    url: str
    overlaid: str
    frame: int
    seconds: float | None


@dataclass(frozen=True)
class Pictures:
    """Makes the pictures of a video.

    Attributes:
        method: of attribution.
        most: how many there are at most, each of another window.
    """

    method: str
    most: int

    def of(self, trained: TrainedNetwork, video: ReadyVideo) -> list[Picture]:
        """Of windows spread evenly over the video, the frame that was most important in each.

        Raises:
            UserError: a frame cannot be read.
        """
        cut = trained.datamodule.video(video.frames)
        chosen = spread(list(cut), self.most)
        found = [attribute(trained, self.method, cut, window) for window in chosen]
        joined = timeline(chosen, found)
        importance = shown(joined)
        colours = heat(self.method, importance)
        pictures, times = {}, video.times()
        for window, each in zip(chosen, found, strict=True):
            frame = int(window.frames[each.magnitude.mean(axis=(1, 2)).argmax()])
            place = int(np.searchsorted(joined.frames, frame))
            pixels = joined.pixels[place]
            pictures[frame] = Picture(
                url=_jpeg(pixels),
                overlaid=_jpeg(colours.over(pixels, importance[place])),
                frame=frame,
                seconds=None if times is None else float(times[frame]),
            )
        return [pictures[frame] for frame in sorted(pictures)]


@pydantic_dataclass(frozen=True)
class Report:
    """What the pages are to show.

    Attributes:
        faces: pictures of the face; none leaves the machine's disk, but pages can be passed on.
        method: that the pictures show; None for the network's own.
        pictures: how many there are at most.
    """

    faces: bool
    method: str | None
    pictures: PositiveInt

    def of(self, network: nn.Module) -> Pictures | None:
        """What makes the pictures; None where there are to be none, or nothing explains the network.

        Raises:
            UserError: the method does not explain the network.
        """
        if self.method is not None:
            try:
                refuse_other_methods(network, (self.method,))
            except UserError as error:
                error.where = "config key report.method"
                raise
        method = self.method or next(iter(methods_for(network)), None)
        return Pictures(method, self.pictures) if self.faces and method is not None else None


def _jpeg(pixels: np.ndarray) -> str:
    """RGB ``(H, W, 3)``, uint8, as URL."""
    small = cv2.resize(
        pixels, (_SIDE, round(_SIDE * pixels.shape[0] / pixels.shape[1])), interpolation=cv2.INTER_AREA
    )
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
