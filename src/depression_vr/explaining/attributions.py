"""How important every pixel of a clip was for its score, by several methods."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from depression_vr.data.clips import Window
from depression_vr.data.video_windows import VideoWindows
from depression_vr.errors import UserError
from depression_vr.explaining.attention_maps import attention, relations
from depression_vr.explaining.gradients import grad_cam, integrated_gradients
from depression_vr.explaining.methods import Settings, ViewMaps
from depression_vr.explaining.stages import numbers
from depression_vr.explaining.view_maps import means_on_frame, sums_on_frame
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.baselines import MeanBaseline
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn
from depression_vr.trained import TrainedNetwork

DEFAULT = Settings()


@dataclass(frozen=True)
class Method:
    """A way to explain a score.

    Attributes:
        of: network with its scale, views ``(B, 3, T, h, w)`` and settings to importance in the views.
        suits: whether a network has what it takes.
        stages: of such a network whose maps can be read, 1 the first; None where none is.
        signed: whether importance is above 0 where the estimate is raised, below where it is lowered.
        sums: whether values are shares of a whole, which stays when the grid changes, or levels.
        unit: of importance.
    """

    of: Callable[[ScoreRegression, tuple[Tensor, ...], Settings], ViewMaps]
    suits: Callable[[nn.Module], bool]
    stages: Callable[[Any], Sequence[int]] | None
    signed: bool
    sums: bool
    unit: str


METHODS: Mapping[str, Method] = {
    "attention": Method(
        of=attention,
        suits=lambda network: isinstance(network, StaDrn),
        stages=numbers,
        signed=False,
        sums=False,
        unit="deviation of the attention",
    ),
    "relations": Method(
        of=relations,
        suits=lambda network: isinstance(network, PlegdfFglscf) and network.related,
        stages=lambda network: sorted(network.plegdf_stages),
        signed=False,
        sums=False,
        unit="weight of the relations",
    ),
    "grad_cam": Method(
        of=grad_cam,
        suits=lambda network: len(numbers(network)) > 0,
        stages=numbers,
        signed=True,
        sums=False,
        unit="Grad-CAM",
    ),
    "integrated_gradients": Method(
        of=integrated_gradients,
        suits=lambda network: not isinstance(network, MeanBaseline),
        stages=None,
        signed=True,
        sums=True,
        unit="points per pixel",
    ),
}
"""By name; a network's own attention first."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How important every pixel of a clip was.

    Attributes:
        method: its name.
        importance: ``(T, H, W)``, float32, on the frames as they are read; of both signs where the method is
            signed.
        pixels: ``(T, H, W, 3)``, uint8.
        missed: by how many points integrated gradients miss the difference to their baseline; None for other
            methods.
    """

    method: str
    importance: np.ndarray
    pixels: np.ndarray
    missed: float | None

    @property
    def magnitude(self) -> np.ndarray:
        """Importance without its sign, ``(T, H, W)``."""
        return np.abs(self.importance)


def methods_for(network: nn.Module) -> tuple[str, ...]:
    """The names of the methods that explain a network."""
    return tuple(name for name, method in METHODS.items() if method.suits(network))


def refuse_other_methods(network: nn.Module, methods: tuple[str, ...]) -> None:
    """Refuse what does not explain a network.

    Raises:
        UserError: with the methods that do.
    """
    known = methods_for(network)
    if not known:
        raise UserError(
            f"there is nothing to explain: the estimate of {type(network).__name__} is a constant",
            where="config key run",
            fix="use another run",
        )
    for method in methods:
        if method not in known:
            unsuited = method in METHODS
            raise UserError(
                f"{method} does not explain {type(network).__name__}"
                if unsuited
                else f"there is no method {method!r}",
                where="config key methods",
                fix=f"use {', '.join(known)}",
            )


def refuse_other_stages(network: nn.Module, method: str, stage: int | None) -> None:
    """Refuse a stage that has no map of a method's kind; None, which is none in particular, is fine.

    Raises:
        UserError: with those that have.
    """
    of = METHODS[method].stages
    if stage is not None and of is not None and stage not in of(network):
        raise UserError(
            f"stage={stage} has no maps for {method}: those that have are {', '.join(map(str, of(network)))}",
            where="config key stage",
            fix="use one of them, or leave it out",
        )


def attribute(
    trained: TrainedNetwork, method: str, video: VideoWindows, window: Window, settings: Settings = DEFAULT
) -> Attribution:
    """Explain the score of one window of a video.

    Raises:
        UserError: a frame cannot be read, or the network has no such stage.
    """
    return attribute_pixels(
        trained.module, method, video.read(window).pixels, video, trained.device, settings
    )


def attribute_pixels(
    module: ScoreRegression,
    method: str,
    pixels: Tensor,
    video: VideoWindows,
    device: torch.device,
    settings: Settings = DEFAULT,
) -> Attribution:
    """Explain the score of any clip, by any weights; computes in float32.

    Args:
        module: in evaluation mode, on the device.
        method: a name of `METHODS` that suits the network.
        pixels: ``(T, 3, H, W)``, uint8.
        video: makes the views.
        device: where to compute.
        settings: of the method.

    Raises:
        UserError: the network has no such stage.
    """
    refuse_other_stages(module.network, method, settings.stage)
    found = METHODS[method].of(module, video.views(pixels[None], device), settings)
    on_frame = sums_on_frame if METHODS[method].sums else means_on_frame
    height, width = pixels.shape[2:]
    importance = on_frame(found.maps, video.preparation.views, (height, width))[0]
    return Attribution(
        method=method,
        importance=importance.float().cpu().numpy(),
        pixels=pixels.permute(0, 2, 3, 1).numpy(),
        missed=None if found.missed is None else found.missed.item(),
    )
