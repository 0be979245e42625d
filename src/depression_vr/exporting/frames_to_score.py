"""Everything between the frames of a clip and its score, as one module that can be exported."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from depression_vr.data.augmentation import Normalisation
from depression_vr.data.regions import RegionViews
from depression_vr.learning.scale import ScoreScale


class FramesToScore(nn.Module):
    """Conversion, region views, normalisation, network and scale.

    It computes what an evaluation computes of frames that have been read, in forms that a graph can hold.

    Args:
        network: takes a view of each region; in evaluation mode.
        scale: of its scores.
        views: that the network takes.
        normalisation: of the views.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, network: nn.Module, scale: ScoreScale, views: RegionViews, normalisation: Normalisation
    ) -> None:
        super().__init__()
        self.views, self.scale = views, scale
        self.register_buffer("mean", torch.tensor(normalisation.mean))
        self.register_buffer("deviation", torch.tensor(normalisation.std))
        # torch.export makes Python of names, and a network may have a part named `global`
        self.weights = nn.ParameterList(network.parameters())
        self.statistics = nn.Module()
        self._parameters_at = [name for name, _ in network.named_parameters()]
        self._buffers_at = [name for name, _ in network.named_buffers()]
        for number, buffer in enumerate(network.buffers()):
            self.statistics.register_buffer(f"{number}", buffer)
        self._network = (network,)  # in a tuple it is no part of this module

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, T, H, W, 3)``, RGB, uint8 0..255, to scores in points, ``(B,)``."""
        clips = frames.float() / 255
        views = self.views(clips.permute(0, 1, 4, 2, 3))
        y = self._of_network(*(self._normalised(view) for view in views))
        return self.scale.score(y)

    def _normalised(self, view: Tensor) -> Tensor:
        """``(B, T, 3, h, w)`` to ``(B, 3, T, h, w)``."""
        return ((view.movedim(2, 4) - self.mean) / self.deviation).movedim(4, 1)

    def _of_network(self, *views: Tensor) -> Tensor:
        parameters = zip(self._parameters_at, self.weights, strict=True)
        buffers = zip(self._buffers_at, self.statistics.buffers(), strict=True)
        y: Tensor = functional_call(self._network[0], {**dict(parameters), **dict(buffers)}, views)
        return y
